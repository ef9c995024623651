"""The guard: a small process that starts the daemon, watches it from outside, and starts it again.

Its modules import nothing but each other and a little of the standard library, so that it stays
small. Why a process: a thread of the daemon's own would not wake up while a call holds the
interpreter's lock, and dies with the process.
"""
