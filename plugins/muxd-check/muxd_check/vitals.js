// Measures the Core Web Vitals of a page, and tells each change to muxd. See https://web.dev/vitals.
(tellName) => {
  if (window.top !== window || typeof window[tellName] !== "function") return;
  const tell = window[tellName];
  const page = { id: `${performance.timeOrigin}`, url: location.href, cls: 0 };
  let waiting = false;
  const changed = () => {
    if (waiting) return;
    waiting = true;
    queueMicrotask(() => { waiting = false; tell(page); });
  };
  const observe = (type, options, take) => {
    if (!PerformanceObserver.supportedEntryTypes.includes(type)) return;
    new PerformanceObserver(list => { list.getEntries().forEach(take); changed(); })
      .observe({ type, buffered: true, ...options });
  };
  observe("largest-contentful-paint", {}, entry => { page.lcp = entry.startTime; });
  observe("paint", {}, entry => {
    if (entry.name === "first-contentful-paint") page.fcp = entry.startTime;
  });
  // Shifts less than 1 s apart, and within 5 s, are one; the worst of these counts.
  let sum = 0, first = 0, last = 0;
  observe("layout-shift", {}, entry => {
    if (entry.hadRecentInput) return;
    const apart = entry.startTime - last > 1000 || entry.startTime - first > 5000;
    sum = apart ? entry.value : sum + entry.value;
    if (apart) first = entry.startTime;
    last = entry.startTime;
    page.cls = Math.max(page.cls, sum);
  });
  const act = entry => {
    if (entry.interactionId || entry.entryType === "first-input") {
      page.inp = Math.max(page.inp ?? 0, entry.duration);
    }
  };
  observe("event", { durationThreshold: 16 }, act);
  observe("first-input", {}, act);
  observe("navigation", {}, entry => {
    page.ttfb = entry.responseStart;
    if (entry.loadEventStart) page.load = entry.loadEventStart;
  });
}
