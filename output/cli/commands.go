package cli

import "context"

// command is one command with the values of its flags.
type command interface {
	// flags defines the command's flags.
	flags(f flags)

	// check takes the arguments, and refuses flags and arguments that contradict each
	// other. dashed has the words after "--" for a command that runs a command. For
	// other commands, args has those words, too.
	check(args, dashed []string) error

	// run does the command's work and returns the exit code.
	run(ctx context.Context, p *program) int
}

// entry is one command in the list of commands.
type entry struct {
	name, args  string // args is for the usage line; empty means that there are no arguments
	short, long string
	examples    string // command lines, with comments
	runs        bool   // a command follows "--"
	new         func() command
}

const files = "[FILE|DIR|-]..."

// commands lists every command, in the order in which help shows them.
var commands = [...]entry{
	{"init", "[FILE]", "write a commented starter profile", longInit, examplesInit, false, func() command { return &initCommand{} }},
	{"validate", files, "check profiles; no network", longValidate, examplesValidate, false, func() command { return &validate{} }},
	{"plan", files, "say what apply would do; no network", longPlan, examplesPlan, false, func() command { return &plan{} }},
	{"apply", files, "make sure that every token is valid, and write the outputs", longApply, examplesApply, false, func() command { return &apply{} }},
	{"login", files, "log in to one profile, in one step or in two", longLogin, examplesLogin, false, func() command { return &loginCommand{} }},
	{"status", files, "show how long tokens and logins last", longStatus, examplesStatus, false, func() command { return &status{} }},
	{"token", files, "make sure that the token of one profile is valid, and print it", longToken, examplesToken, false, func() command { return &token{} }},
	{"exec", files + " -- COMMAND [ARG]...", "run a command with tokens in its environment", longExec, examplesExec, true, func() command { return &execCommand{} }},
	{"watch", files, "keep tokens valid until stopped", longWatch, examplesWatch, false, func() command { return &watch{} }},
	{"import", files, "import a refresh token from standard input or another client", longImport, examplesImport, false, func() command { return &importCommand{} }},
	{"destroy", files, "delete state and the outputs tokenform wrote", longDestroy, examplesDestroy, false, func() command { return &destroy{} }},
	{"state", "list|show|mv|rm|pull|push [NAME]...", "manage stored logins", longState, examplesState, false, func() command { return &stateCommand{} }},
	{"log", "[NAME]...", "show what runs did to tokens", longLog, examplesLog, false, func() command { return &logCommand{} }},
	{"sandbox", "", "run the stand-in Spotify server on a loopback port", longSandbox, examplesSandbox, false, func() command { return &sandboxCommand{} }},
	{"schema", "[profile|output]", "print the JSON Schema of profiles, or of --json", longSchema, examplesSchema, false, func() command { return &schema{} }},
	{"help", "[COMMAND|TOPIC]", "explain a command or a topic", longHelp, examplesHelp, false, func() command { return &helpCommand{} }},
	{"version", "", "print the version", "Prints the version of tokenform, and the system that it was built for.", "", false, func() command { return &version{} }},
}
