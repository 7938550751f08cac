"""The JavaScript of web pages, as the server hands it out. `sdk/build.mjs` makes it from `sdk/src`."""
