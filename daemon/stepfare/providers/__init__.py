"""What is known of providers and their models: where they are, what they can do, what they cost. Nothing here calls one."""
