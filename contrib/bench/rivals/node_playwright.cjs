// Worker: plain Playwright on node, one browser; a new "page" or a new "context" for each job.
//
//     node node_playwright.cjs KIND URL BROWSER      (playwright-core is looked for in NODE_PATH)

const readline = require('readline');
const { chromium } = require('playwright-core');

async function job(context, url) {
  const page = await context.newPage();
  await page.goto(url);
  await page.waitForSelector('li');
  const texts = await page.locator('li').allInnerTexts();
  if (texts.length !== 50) throw new Error(`${texts.length} items`);
  await page.close();
}

async function main(kind, url, executablePath) {
  const browser = await chromium.launch({ executablePath, chromiumSandbox: process.geteuid() !== 0 });
  const shared = await browser.newContext();
  for await (const _ of readline.createInterface({ input: process.stdin })) {
    const begun = performance.now();
    if (kind === 'page') {
      await job(shared, url);
    } else {
      const context = await browser.newContext();
      await job(context, url);
      await context.close();
    }
    console.log((performance.now() - begun) / 1000);
  }
  await browser.close();
}

main(...process.argv.slice(2));
