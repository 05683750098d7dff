//! The `logout` Lambda function; see [`logout::handle`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::serve(|env| shared::App::with_globus(shared::App::read(env), env), logout::handle).await
}
