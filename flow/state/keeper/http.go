package keeper

import (
	"context"

	"tokenform/config"
)

func openHTTP(ctx context.Context, s config.Store, o Options) (Keeper, error) {
	panic("not written yet")
}
