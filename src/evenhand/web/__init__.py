"""Pages and routes: parse, call one function, render."""
