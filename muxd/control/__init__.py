"""The control socket: how commands talk to a running daemon.

HTTP on a Unix socket in the state directory, for its owner only (mode 0600).
"""
