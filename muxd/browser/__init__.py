"""The one browser: found, launched, watched, shared, killed and launched again.

The only place in muxd that imports Playwright. Every call of it is made through
`muxd.bridge.bridged` and under a deadline on trio's side.
"""
