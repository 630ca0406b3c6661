package keeper

import (
	"context"

	"tokenform/config"
)

func openEtcd(ctx context.Context, s config.Store, o Options) (Keeper, error) {
	panic("not written yet")
}
