package sandbox

// style is the pages' only style sheet. style is a raw string and no file of its own,
// because Go drops carriage returns from raw strings: browsers hash the sheet without
// carriage returns, whatever line endings git wrote.
const style = `
:root {
  color-scheme: light dark;
  --paper: #f4f3ef; --card: #fff; --ink: #1c1b18; --soft: #6a675e; --line: #e2dfd6;
  --mark: #f6b73c; --tape: #1c1b18; --go: #2f5bd7; --go-ink: #fff; --bad: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #131316; --card: #1c1c21; --ink: #edecea; --soft: #a3a19b; --line: #33333a;
    --mark: #e0a02c; --tape: #0b0b0d; --go: #86a5ff; --go-ink: #0f1530; --bad: #ff8a80;
  }
}
* { box-sizing: border-box; margin: 0; }
body {
  min-height: 100vh; display: flex; flex-direction: column; align-items: center;
  background: var(--paper); color: var(--ink); overflow-wrap: anywhere;
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif;
}
code, pre { font: .875em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.tape {
  width: 100%; padding: .7rem 1rem; text-align: center;
  background: repeating-linear-gradient(-45deg, var(--mark) 0 1.1rem, var(--tape) 1.1rem 2.2rem);
}
.tape span { display: inline-block; padding: .2rem 1rem; border-radius: 99px; background: var(--tape); color: #fff; font-size: .9rem; }
.tape b { margin-inline-end: .5rem; color: var(--mark); letter-spacing: .08em; text-transform: uppercase; }
main {
  width: min(100% - 2rem, 32rem); margin: 2.5rem 0 1.5rem; padding: 2rem;
  background: var(--card); border: 1px solid var(--line); border-radius: 1rem;
}
h1 { font-size: 1.5rem; line-height: 1.25; letter-spacing: -.01em; text-wrap: balance; }
h2 { margin: 1.75rem 0 .5rem; font-size: .8rem; font-weight: 600; color: var(--soft); }
h1 + p { margin-top: .5rem; }
.app { color: var(--soft); }
.hint { color: var(--soft); font-size: .85rem; }
.account {
  display: flex; align-items: center; gap: .9rem; margin-top: 1.5rem; padding: .8rem 1rem;
  border: 1px solid var(--line); border-radius: .75rem;
}
.account div { min-width: 0; }
.account .hint, .account b, .account code { display: block; line-height: 1.35; }
.account code { color: var(--soft); }
.face {
  flex: none; width: 2.75rem; height: 2.75rem; border-radius: 50%; background: var(--mark); color: #1c1b18;
  font-size: 1.2rem; font-weight: 700; line-height: 2.75rem; text-align: center;
}
.scopes { padding: 0; list-style: none; border-top: 1px solid var(--line); }
.scopes li { padding: .6rem 0; border-bottom: 1px solid var(--line); }
.scopes span, .scopes code { display: block; line-height: 1.4; }
.scopes code { color: var(--soft); font-size: .8rem; }
.buttons { display: flex; gap: .75rem; margin: 1.5rem 0 1rem; }
button {
  flex: 1; padding: .75rem 1rem; border: 1px solid var(--soft); border-radius: .6rem;
  background: transparent; color: inherit; font: inherit; font-weight: 600; cursor: pointer;
}
button:hover { border-color: var(--ink); }
button:focus-visible { outline: 3px solid var(--ink); outline-offset: 2px; }
.allow, .allow:hover { border-color: var(--go); background: var(--go); color: var(--go-ink); }
.allow:hover { filter: brightness(1.08); }
.label { margin-top: 1.75rem; font-size: .8rem; font-weight: 600; color: var(--soft); }
.said { margin: .5rem 0 1rem; padding: .8rem 1rem; border-left: 4px solid var(--bad); background: var(--paper); font-weight: 600; }
.said ~ .hint { margin-top: 1rem; }
pre { padding: .9rem 1rem; white-space: pre-wrap; font-size: .78rem; border-radius: .6rem; background: var(--paper); }
dl { display: grid; grid-template-columns: max-content 1fr; align-items: baseline; gap: .35rem 1.25rem; }
dt { color: var(--soft); font-size: .9rem; }
dd { min-width: 0; }
footer { max-width: 32rem; margin-top: auto; padding: 0 1rem 2rem; color: var(--soft); font-size: .8rem; text-align: center; }
`
