"""Pictures: in the terminal, with matplotlib, and as a page of HTML."""
