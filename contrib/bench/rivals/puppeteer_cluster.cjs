// Worker: puppeteer-cluster, one browser, one job at a time; a new "page" or a new "context" for each.
//
//     node puppeteer_cluster.cjs KIND URL BROWSER     (the packages are looked for in NODE_PATH)

const readline = require('readline');
const puppeteer = require('puppeteer-core');
const { Cluster } = require('puppeteer-cluster');

async function job({ page, data: url }) {
  await page.goto(url);
  await page.waitForSelector('li');
  const texts = await page.$$eval('li', items => items.map(item => item.innerText));
  if (texts.length !== 50) throw new Error(`${texts.length} items`);
}

async function main(kind, url, executablePath) {
  const cluster = await Cluster.launch({
    puppeteer,
    puppeteerOptions: { executablePath, args: process.geteuid() === 0 ? ['--no-sandbox'] : [] },
    concurrency: kind === 'page' ? Cluster.CONCURRENCY_PAGE : Cluster.CONCURRENCY_CONTEXT,
    maxConcurrency: 1,
  });
  for await (const _ of readline.createInterface({ input: process.stdin })) {
    const begun = performance.now();
    await cluster.execute(url, job);
    console.log((performance.now() - begun) / 1000);
  }
  await cluster.idle();
  await cluster.close();
}

main(...process.argv.slice(2));
