package config

import "slices"

// notifiers decodes the key notify.
func (d *document) notifiers(f *field) (list []Notifier) {
	const hint = "write for example - {on: [login_ending, login_needed], command: [notify-send, tokenform]}"
	for _, item := range d.items(f.node, "notify", hint) {
		fs, ok := d.mapping(item, "a notifier", []string{"on", "command"}, false)
		if !ok {
			continue
		}
		n := Notifier{On: NotifyEvents, Dir: d.file.dir}
		if on := fs.get("on"); on != nil {
			n.On = nil
			for _, word := range d.items(on.node, "on", hint) {
				s, ok := d.shown(word, "on")
				switch {
				case !ok:
				case !slices.Contains(NotifyEvents, s):
					d.report(word, meant(s, NotifyEvents), "unknown event %s", word.quoted())
				default:
					n.On = append(n.On, s)
				}
			}
		}
		if command := fs.get("command"); command != nil {
			for _, word := range d.items(command.node, "command", hint) {
				if s, ok := d.text(word, "command"); ok {
					n.Command = append(n.Command, s)
				}
			}
		}
		if len(n.Command) == 0 || n.Command[0] == "" {
			d.report(item, hint, "the notifier has no command")
			continue
		}
		list = append(list, n)
	}
	return list
}
