// Command reference is the program that people write with x/oauth2: it
// refreshes a token, prints it and stores nothing.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/oauth2"
)

func main() {
	config := oauth2.Config{
		ClientID:     "app",
		ClientSecret: "secret",
		Endpoint:     oauth2.Endpoint{TokenURL: os.Args[1] + "/api/token", AuthStyle: oauth2.AuthStyleInHeader},
	}
	over := &oauth2.Token{RefreshToken: "AQrefresh", Expiry: time.Unix(1, 0)}
	token, err := config.TokenSource(context.Background(), over).Token()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(token.AccessToken)
}
