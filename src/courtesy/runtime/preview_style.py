"""How the page of a preview looks. Its switches are radio buttons, which the style sheet asks: no script does."""

STYLE = """
:root { --ink: #1c1b1f; --dim: #57545c; --line: #d5d2da; --back: #f6f5f8; --card: #fff; --accent: #4b3aa5;
  --yes: #14592b; --yes-back: #e4f5e9; --no: #8c1d18; --no-back: #fbe9e7; --warn: #6b4400 }
* { box-sizing: border-box }
body { margin: 0; font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back) }
header { background: var(--card); border-bottom: 1px solid var(--line); padding: 1.25rem 2rem }
main { padding: .5rem 2rem 3rem }
h1 { font-size: 1.5rem; margin: 0 } header p { margin: .25rem 0 1rem; color: var(--dim) }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem } h3 { font-size: 1rem; margin: 0 0 .5rem }
h4 { font-size: .875rem; margin: .5rem 0 .25rem }
.switches { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem }
fieldset { border: 1px solid var(--line); border-radius: .5rem; margin: 0; padding: .2rem .75rem .45rem }
legend { font-size: .8rem; color: var(--dim); padding: 0 .25rem }
label { margin-right: .75rem; white-space: nowrap; cursor: pointer } input { accent-color: var(--accent) }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
.verdict { display: inline-block; margin: 0 0 .75rem; padding: .25rem .75rem; border-radius: 1rem; font-weight: 600;
  font-size: .9rem }
.yes { color: var(--yes); background: var(--yes-back) } .no { color: var(--no); background: var(--no-back) }
.row { display: flex; gap: 1.5rem; align-items: flex-start; overflow-x: auto; padding: .25rem .25rem 1rem }
.column { flex: none; width: 22rem; max-width: 100% }
.column.email { width: 642px; max-width: none }
.theirs { font-size: .75rem; font-weight: 600; color: #fff; background: var(--accent); border-radius: 1rem;
  padding: .1rem .6rem; margin-left: .25rem }
.mail { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; overflow: hidden }
.head { margin: 0; padding: .75rem 1.25rem; border-bottom: 1px solid var(--line) }
.head div { display: flex; gap: .75rem } .head dt { color: var(--dim); width: 4rem; flex: none }
.head dd { margin: 0; overflow-wrap: anywhere } .head div:last-child dd { font-weight: 600 }
iframe { display: block; width: 640px; height: 36rem; border: 0; background: #fff; color-scheme: light;
  resize: vertical }
.pictures-off { display: none }
body:has(#pictures-off:checked) .pictures-off { display: block }
body:has(#pictures-off:checked) .pictures-on { display: none }
body:has(#width-narrow:checked) .column.email { width: 377px } body:has(#width-narrow:checked) iframe { width: 375px }
body:has(#colours-dark:checked) iframe { color-scheme: dark; background: #121212 }
body:has(#colours-forced:checked) iframe { filter: invert(.9) hue-rotate(180deg) }
details { margin: .5rem 0 } summary { cursor: pointer; font-size: .9rem }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--card); border: 1px solid var(--line);
  border-radius: .5rem; padding: .75rem 1rem; margin: .5rem 0; font-size: .875rem; max-height: 24rem; overflow: auto }
code { font-size: .85em; overflow-wrap: anywhere; color: var(--dim) }
.meta { font-size: .85rem; color: var(--dim); margin: .35rem 0 }
.phone { background: #e9e7ee; border-radius: 1.25rem; padding: 1rem }
.bubble { background: var(--card); border-radius: 1.1rem 1.1rem 1.1rem .25rem; padding: .6rem 1rem; margin: 0 0 .5rem;
  white-space: pre-line; overflow-wrap: anywhere; width: fit-content; max-width: 92% }
.part { display: block; font-size: .75rem; color: var(--dim) }
.lock { background: linear-gradient(160deg, #3c3a5c, #5d4a77); margin-bottom: .25rem }
.lock .meta { color: #fff; margin: 0 0 .5rem }
.notice { background: #ffffffee; border-radius: 1rem; padding: .7rem 1rem; overflow-wrap: anywhere }
.notice p { margin: .1rem 0 0 }
.screen { min-height: 15rem; border-radius: .75rem; border: 1px solid var(--line); padding: 1rem; display: grid;
  background: repeating-linear-gradient(#e4e2e9 0 .6rem, #eeedf2 0 1.6rem) }
.screen.dialog { place-items: center; background-color: #0006; background-blend-mode: multiply }
.screen.toast { place-items: end } .screen.banner { padding: 1rem 0 0; align-items: end }
.card { background: var(--card); border: 1px solid #767676; border-radius: .5rem; padding: 1.1rem 1.4rem;
  width: min(19rem, 100%) }
.banner .card { width: 100%; border-radius: 0 }
.card img { display: block; width: calc(100% + 2.8rem); max-height: 12rem; object-fit: cover;
  margin: -1.1rem -1.4rem 1rem; border-radius: .5rem .5rem 0 0 }
.title { font-size: 1.15rem; font-weight: 700; margin: 0 0 .4rem; line-height: 1.3 }
.said { margin: 0 0 1rem; white-space: pre-line; overflow-wrap: anywhere }
.buttons { display: flex; gap: .5rem; justify-content: flex-end; margin: 0 }
.button { border: 1px solid #1a1a1a; border-radius: .4rem; padding: .35rem .9rem }
.button.first { background: #1a1a1a; color: #fff }
.fields { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: 1rem }
.fields dt { font-size: .8rem; color: var(--dim) }
.fields dd { margin: 0 0 .6rem; white-space: pre-wrap; overflow-wrap: anywhere }
.found ul { list-style: none; margin: .25rem 0; padding: 0; font-size: .9rem }
.found li { border-left: 4px solid var(--line); padding: .1rem .6rem; margin: .3rem 0; overflow-wrap: anywhere }
.found li.error { border-color: #b3261e } .found li.error b { color: var(--no) }
.found li.warning { border-color: #c77700 } .found li.warning b { color: var(--warn) }
@media (max-width: 40rem) { header, main { padding-left: 1rem; padding-right: 1rem } }
@media print { .switches { display: none } .row { flex-wrap: wrap } iframe { height: 60rem } }
"""
