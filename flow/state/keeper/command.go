package keeper

import "tokenform/config"

func openCommand(s config.Store, o Options) (Keeper, error) { panic("not written yet") }
