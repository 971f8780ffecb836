"""Text that a contact chose, of characters that no terminal must get."""

HOSTILE = "\x1b[2J\x07\x7f\x9b31m\u202e\u2028\U000e0041\r\n\ud800"
