// Loaded into Playwright's driver before anything else: muxd's daemon decides when it ends, by
// closing its standard input or by SIGKILL, and not the terminal's Ctrl-C or a service manager
// that signals the whole group.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => {});
