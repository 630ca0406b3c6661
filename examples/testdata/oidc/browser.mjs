// The person of oidc_test.go: a real browser at the address it is given, as
// $BROWSER runs it. What it saw goes into $OIDC_BROWSER_DIR: result.json, and
// pictures of the page that it ended on.
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { chromium } from 'playwright-core'

const dir = process.env.OIDC_BROWSER_DIR
writeFileSync(join(dir, 'pid'), String(process.pid))

const result = { args: process.argv.slice(2), requests: [], console: [] }

function end() {
  writeFileSync(join(dir, 'result.new'), JSON.stringify(result))
  renameSync(join(dir, 'result.new'), join(dir, 'result.json'))
  process.exit() // and with it the browser
}

setTimeout(() => {
  result.error ??= 'out of time'
  end()
}, 40_000)

try {
  const context = await chromium.launchPersistentContext(join(dir, 'profile'), {
    executablePath: process.env.OIDC_CHROMIUM,
    args: [
      '--no-sandbox', // it is refused to root, as whom CI runs, and the pages are ours
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1', // nothing leaves this machine
    ],
    viewport: { width: 900, height: 640 },
    colorScheme: 'light',
  })
  context.setDefaultTimeout(15_000)
  context.on('request', (request) => result.requests.push(request.url()))
  context.on('requestfailed', (request) => {
    // Nothing else would tell of a page that broke off.
    result.error = `${new URL(request.url()).pathname}: ${request.failure().errorText}`
    end()
  })
  const page = context.pages()[0]
  page.on('console', (message) => result.console.push(`${message.location().url}: ${message.text()}`))
  page.on('pageerror', (error) => result.console.push(String(error)))

  // The page after the login is answered when the code has been exchanged.
  const answered = page.waitForResponse((response) => new URL(response.url()).pathname === '/callback', { timeout: 35_000 })
  answered.catch(() => {}) // awaited below
  await page.goto(process.argv[2])
  const choice = process.env.OIDC_BROWSER_CHOICE
  if (choice !== 'none') {
    await page.fill('input[name=login]', 'ada')
    await page.fill('input[name=password]', 'any')
    await page.click('button:text("Sign-in")')
    await page.waitForSelector('h1:text("Authorize")')
    await page.screenshot({ path: join(dir, 'consent.png') })
    await page.click(choice === 'allow' ? 'button:text("Continue")' : 'a:text("Cancel")')
  }
  const response = await answered
  await response.finished()
  await page.waitForLoadState()
  result.status = response.status()
  result.headers = response.headers()
  result.title = await page.title()
  result.heading = await page.textContent('h1')
  result.text = await page.innerText('body')
  result.html = await page.content()
  result.styleSheets = await page.evaluate(() => document.styleSheets.length)
  await page.screenshot({ path: join(dir, 'light.png') })
  await page.emulateMedia({ colorScheme: 'dark' })
  await page.screenshot({ path: join(dir, 'dark.png') })
  await context.close()
} catch (error) {
  result.error = String(error)
}
end()
