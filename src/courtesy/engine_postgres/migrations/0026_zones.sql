-- In which time zones the person may have been, by what is known of them: `declared:Europe/Berlin,phone:Asia/Tokyo`.
ALTER TABLE permit ADD COLUMN zones text NOT NULL DEFAULT '';
