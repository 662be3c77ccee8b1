"""What people write: their own settings and a project's file. Text in, values and problems out; nothing here touches a disk."""
