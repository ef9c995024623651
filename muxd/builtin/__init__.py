"""What muxd brings along as plugins, through the same hooks as anyone's."""
