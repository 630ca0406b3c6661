// Package state keeps what tokenform knows on disk: changed only under a lock,
// replaced atomically, durable before anybody sees it.
//
// # What belongs to whom
//
// A login belongs to a server, an app and an account. Its file, NAME.json, says which:
// server, client_id, account. A refresh token is only ever sent to the server that
// gave it, so each server is a [Realm] with logins of its own: Spotify's are in the
// state directory itself, those of --sandbox in its directory sandbox, and those of
// a server that TOKENFORM_ACCOUNTS_URL names are called NAME@HOST. Within a realm another
// client id or another account needs a new login. A login that may still be good is
// replaced only by a person who logs in, or by a refresh token that the profile brings
// for the same app. If the profile declares anything else, such as client_credentials,
// nothing is done: the login must be moved or destroyed first.
//
// An entry, which is a login with its lock, belongs to a profile: to a name, and to the
// file that declares that name. The login says which file (source). Two files that
// declare one name in one state directory are two profiles: the second one is
// refused while the first one still declares the name (as profile or moved_from), or
// exists and cannot be read.
//
// An output record is about one file, and says what tokenform wrote there last (digests,
// never values) and whether tokenform made the file. The records of a profile are a
// file of their own, NAME.outputs: they are about the files of this machine, while
// many machines may share a login. A file within the project, which is the
// directory of the profile's file, is recorded relative to the project and goes
// along when the project is moved or copied. Any other file is recorded by its
// absolute path, and with the project that wrote it: a project that was moved or
// copied does not own the files that it left outside. Files are compared as files,
// by package paths, never as strings.
//
// # Where a login is
//
// The login is in the state directory, under the lock of this machine, or in a store that
// many machines share (package keeper), and may be encrypted in either. Everything else is
// in the state directory: what this machine wrote, what people were told, a login that was
// begun. Of a shared login the file that declares the profile is not recorded: the files
// of other machines mean nothing here. The stand-in's tokens are never shared.
//
// An [Entry] of a shared login has two locks. Lock takes this machine's, for the records.
// [Entry.Lease] takes the store's, for a grant: read the token again, decide again, call
// [Entry.Renew] and [Entry.Reserve], grant, [Entry.Save]. Save keeps a granted token aside
// on this machine before the token is sent to the store, and replaces only the login that
// was read, or one that the new token descends from. No lease is held while a person is
// waited for.
//
// # What may be overwritten or deleted
//
//   - Ours, made by tokenform and unchanged since: updated and deleted.
//   - Ours, but changed since: updated, with a reason shown, and never deleted.
//   - Ours before, with a content now that is no token at all: somebody's own file. A json
//     output refuses it, and so does a template output if none of the tokens that
//     tokenform wrote is in it (the record has their digests): nobody can tell an edited
//     file without a token from another one. An env file's line that assigns a second
//     variable is refused too.
//   - What tokenform wrote is ours even if a process was killed after it had recorded
//     the next content, and before it wrote it.
//   - A refresh token that tokenform never had, in a json output or in a variable of a
//     refresh token: never overwritten, because it may be the only one that still works.
//   - Not ours: an env file is merged, and only our variables are ever touched; a
//     whole file (json, template) is refused.
//   - The target of a link is updated and emptied, never deleted. If an output of a whole
//     file becomes a link to somebody else's file, the output is refused.
//   - Another user's env file is rewritten in place, so that it stays theirs, or people
//     are told that it does not. Another user's whole file is refused.
//   - In the state directory itself, no link is followed, and no file of another user but
//     root is read. A directory with other programs' files is refused.
package state
