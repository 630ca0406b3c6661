//! Logs in to the Web API with rspotify and nothing but our file, twice: with the
//! access token, and, once that is over, with one that rspotify gets and keeps in
//! the file by itself. With "dotenv" and paths it prints what dotenvy reads there.

use rspotify::{prelude::*, scopes, AuthCodeSpotify, Config, Credentials, OAuth};
use std::{env, error::Error};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    if args[0] == "dotenv" {
        let values: Vec<Option<String>> = args[1..].iter().map(|path| read(path)).collect();
        println!("{}", serde_json::to_string(&values)?);
        return Ok(());
    }
    let (file, client_id, server) = (&args[0], &args[1], &args[2]);
    let config = Config {
        api_base_url: format!("{server}/v1/"),
        auth_base_url: format!("{server}/"),
        cache_path: file.into(),
        token_cached: true,
        ..Default::default()
    };
    let oauth = OAuth {
        redirect_uri: "http://127.0.0.1/callback".into(),
        scopes: scopes!("streaming", "user-read-email"),
        ..Default::default()
    };
    let creds = Credentials::new(client_id, &env::var("CLIENT_SECRET")?);
    let api = AuthCodeSpotify::with_config(creds, oauth, config);

    let mut token = api.read_token_cache(false)?.ok_or("no valid token")?;
    let access = token.access_token.clone();
    *api.token.lock().unwrap() = Some(token.clone());
    let user = api.current_user()?.id;
    token.expires_at = token.expires_at.map(|at| at - token.expires_in * 2);
    *api.token.lock().unwrap() = Some(token);
    let later = api.current_user()?.id;
    let kept = api.read_token_cache(false)?.ok_or("no valid token kept")?;
    let answer = serde_json::json!({"valid": kept.access_token != access, "user": user.id(), "later": later.id()});
    println!("{answer}");
    Ok(())
}

fn read(path: &str) -> Option<String> {
    let vars = dotenvy::from_path_iter(path).ok()?.collect::<Result<Vec<_>, _>>().ok()?;
    vars.into_iter().find(|(name, _)| name == "V").map(|(_, value)| value)
}
