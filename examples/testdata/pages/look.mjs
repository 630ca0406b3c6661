// The eyes of pages_test.go: Chromium looks at pages in every width and colour
// scheme, and axe-core looks with it. Standard input names the pages; standard
// output has one finding for each look that found something.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { chromium } from 'playwright-core'

const { base, pages, pictures, executable } = JSON.parse(readFileSync(0, 'utf8'))
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const schemes = ['light', 'dark']
const widths = [320, 768, 1280]
const result = { looks: 0, rules: 0, findings: [] }

const browser = await chromium.launch({
  executablePath: executable,
  args: [
    '--no-sandbox', // it is refused to root, as whom CI runs, and the pages are ours
    '--disable-gpu',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1', // nothing leaves this machine
  ],
})

const waiting = [...pages]
await Promise.all([lookOn(), lookOn()]) // two tabs, for two cores
await browser.close()
console.log(JSON.stringify(result))

async function lookOn() {
  const context = await browser.newContext()
  context.setDefaultTimeout(15_000)
  const tab = await context.newPage()
  const devtools = await context.newCDPSession(tab)
  for (let name; (name = waiting.shift()); ) await look(tab, devtools, name)
}

async function look(tab, devtools, name) {
  const find = (...findings) => result.findings.push(...findings.map((text) => `${name}${text}`))
  const listen = (message) => {
    // Chromium reports a status of 400 or 409 as a failure to load.
    if (!message.text().startsWith('Failed to load resource')) find(`, console: ${message.text()}`)
  }
  tab.on('console', listen)
  await tab.goto(`${base}/${name}`)
  // DevTools evaluates what the page's content policy forbids; so the policy
  // stays in force, and with it the hash of the style sheet.
  await evaluate(devtools, axe)
  for (const scheme of schemes) {
    await tab.emulateMedia({ colorScheme: scheme })
    for (const width of widths) {
      await tab.setViewportSize({ width, height: 720 })
      const seen = await evaluate(devtools, `(${inspect})()`)
      const at = `, ${width} ${scheme}: `
      find(...seen.findings.map((text) => at + text))
      result.looks++
      result.rules = Math.max(result.rules, seen.rules)
      if (seen.scheme !== scheme) find(at + `the colours are those of ${seen.scheme}`)
      if (pictures) await tab.screenshot({ path: join(pictures, `${name}-${width}-${scheme}.png`), fullPage: true })
    }
  }
  tab.off('console', listen)
}

async function evaluate(devtools, expression) {
  const { result, exceptionDetails } = await devtools.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true })
  if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
  return result.value
}

// inspect runs in the page.
async function inspect() {
  const findings = []
  const report = await axe.run(document, { rules: { 'target-size': { enabled: true } }, resultTypes: ['violations', 'incomplete'] })
  for (const kind of ['violations', 'incomplete']) {
    for (const rule of report[kind]) {
      for (const node of rule.nodes) findings.push(`axe, ${kind}: ${rule.id} at ${node.target}: ${node.failureSummary}`)
    }
  }

  const root = document.documentElement
  if (root.scrollWidth > root.clientWidth) findings.push(`${root.scrollWidth} pixels wide`)
  for (const element of document.body.querySelectorAll('*')) {
    const box = element.getBoundingClientRect()
    if (box.right > root.clientWidth + 1 || box.left < -1) findings.push(`<${element.localName}> sticks out`)
    if (element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0) findings.push(`<${element.localName}> is cut off, or scrolls`)
  }

  // Foreign words of the other direction are isolated, and the text before and
  // after them is on its own side.
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (texts.nextNode()) {
    if (/[\p{Script=Hebrew}\p{Script=Arabic}]/u.test(texts.currentNode.data) && !texts.currentNode.parentElement.closest('bdi')) {
      findings.push(`not isolated: ${texts.currentNode.data.slice(0, 60)}`)
    }
  }
  const character = (text, at) => {
    const range = document.createRange()
    range.setStart(text, at)
    range.setEnd(text, at + 1)
    return range.getBoundingClientRect()
  }
  for (const bdi of document.querySelectorAll('bdi')) {
    const lines = bdi.getClientRects()
    const [before, after] = [bdi.previousSibling, bdi.nextSibling]
    if (before?.nodeType === Node.TEXT_NODE && /\S\s*$/.test(before.data)) {
      const box = character(before, before.data.search(/\S\s*$/))
      if (box.bottom > lines[0].top && box.right > lines[0].left + 1) findings.push(`the text before ${bdi.textContent} is not left of it`)
    }
    if (after?.nodeType === Node.TEXT_NODE && /\S/.test(after.data)) {
      const [box, last] = [character(after, after.data.search(/\S/)), lines[lines.length - 1]]
      if (box.top < last.bottom && box.left < last.right - 1) findings.push(`the text after ${bdi.textContent} is not right of it`)
    }
  }

  const [r, g, b] = getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number)
  return { findings, rules: report.violations.length + report.incomplete.length + report.passes.length, scheme: r + g + b > 384 ? 'light' : 'dark' }
}
