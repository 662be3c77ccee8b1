"""Writers of the generated files, one a language: each turns the language server's models and tables into a text."""
