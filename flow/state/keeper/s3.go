package keeper

import (
	"context"

	"tokenform/config"
)

func openS3(ctx context.Context, s config.Store, o Options) (Keeper, error) { panic("not written yet") }
