//! What other sites, other browsers and browsers' own haste can do, and what stops it.

use globus_stand_in::Endpoint;
use kit::{Result, browser::Browser, local::Storage};

use crate::scene::Scene;

on_each_storage! {
    a_strict_cookie_would_not_come_back_from_globus
    login_csrf_with_a_callback_of_another_browser_signs_no_user_in
    a_form_on_another_site_logs_no_user_out
    a_prefetch_an_image_and_a_head_request_begin_no_sign_in
}

/// Why the cookies are `SameSite=Lax`: the way back from Globus is a navigation from another site.
async fn a_strict_cookie_would_not_come_back_from_globus(storage: Storage) -> Result<()> {
    let scene = Scene::open(storage, &[]).await?;
    scene.begin().await?;
    let cookies = scene.browser.cookies_for(scene.app.url()).await?;
    let (name, value) = &cookies[0];
    scene.browser.set_cookie(scene.app.url(), name, value, "Strict").await?;

    scene.choose("ada").await?;
    scene.browser.shows("This site needs cookies").await?;
    assert_eq!(scene.app.stand_in().requests(Endpoint::Token), 0);
    scene.close().await
}

async fn login_csrf_with_a_callback_of_another_browser_signs_no_user_in(storage: Storage) -> Result<()> {
    let scene = Scene::open(storage, &[]).await?;
    let authorize = scene.begin().await?;
    let callback = scene.app.stand_in().sign_in(&authorize, "sparse").await?;

    let victim = Browser::open().await?;
    victim.goto(&callback).await?;
    victim.shows("This site needs cookies").await?;
    assert_eq!(victim.url().await?, scene.url("/login"), "code and state do not stay in the history");
    assert_eq!(scene.app.stand_in().requests(Endpoint::Token), 0);
    assert!(victim.cookies_for(scene.app.url()).await?.is_empty());
    victim.close().await?;
    scene.close().await
}

async fn a_form_on_another_site_logs_no_user_out(storage: Storage) -> Result<()> {
    let scene = Scene::open(storage, &[]).await?;
    scene.sign_in("ada", "Hello Ada Lovelace!").await?;
    // Another site than ours: the stand-in's.
    scene.browser.goto(scene.app.stand_in().url()).await?;
    let logout = scene.url("/logout");
    let forged = format!(
        "const form = document.createElement('form'); form.method = 'post'; form.action = '{logout}';
         document.body.append(form); form.submit()"
    );
    scene.browser.run(&forged).await?;
    scene.browser.shows("did not come from this site").await?;
    scene.is_in_order("cross-site").await?;

    scene.goto("/").await?;
    scene.browser.shows("Hello Ada Lovelace!").await?;
    assert_eq!(scene.app.stand_in().requests(Endpoint::Revoke), 0);
    scene.close().await
}

async fn a_prefetch_an_image_and_a_head_request_begin_no_sign_in(storage: Storage) -> Result<()> {
    let scene = Scene::open(storage, &[]).await?;
    scene.browser.goto(scene.app.stand_in().url()).await?;
    let login = scene.url("/login");
    let ahead = format!(
        "const link = document.createElement('link'); link.rel = 'prefetch'; link.href = '{login}';
         document.head.append(link);
         return fetch('{login}', {{ mode: 'no-cors', credentials: 'include' }}).catch(() => 0).then(() => new Promise(done => {{
             const image = new Image(); image.onerror = () => done('asked'); image.src = '{login}?image'; }}))"
    );
    assert_eq!(scene.browser.run(&ahead).await?, "asked");
    let head = scene.app.watch().send("HEAD", "/login", &[("accept", "text/html")], "")?;
    assert_eq!(head.status, 403, "{head:?}");

    assert!(scene.cookies().await?.is_empty());
    assert_eq!(scene.app.stand_in().requests(Endpoint::Authorize), 0);
    // That is what the console complains of: nothing came of any of them.
    assert!(!scene.browser.console().await?.is_empty());
    scene.close().await
}
