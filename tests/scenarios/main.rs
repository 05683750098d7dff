//! The whole app as people and programs meet it: real functions under `cargo lambda watch`, a real browser, and a
//! stand-in for Globus Auth on another site than ours, as in life.

/// Each of these scenarios twice: with sessions in cookies, and with sessions in a table.
#[cfg(test)]
macro_rules! on_each_storage {
    ($($scenario:ident)*) => {
        on_each_storage! { @as cookies, Cookies, $($scenario)* }
        on_each_storage! { @as table, Table, $($scenario)* }
    };
    (@as $module:ident, $storage:ident, $($scenario:ident)*) => {
        mod $module {
            $(
                #[tokio::test]
                async fn $scenario() -> kit::Result<()> {
                    super::$scenario(kit::local::Storage::$storage).await
                }
            )*
        }
    };
}

/// Each of these scenarios for each package. What `cargo dev test` leaves to `cargo dev test-packages` is in a module
/// that is named `more_packages`.
#[cfg(test)]
macro_rules! on_each_package {
    ($($scenario:ident)*) => {
        on_packages! { default_package, Package::here(Storage::Cookies), $($scenario)* }
        mod more_packages {
            use super::*;

            on_packages! { table_here, Package::here(Storage::Table), $($scenario)* }
            on_packages! { cookies_elsewhere, Package::elsewhere(Storage::Cookies), $($scenario)* }
            on_packages! { table_elsewhere, Package::elsewhere(Storage::Table), $($scenario)* }
        }
    };
}

/// Each of these scenarios for one package, in a module of that name.
#[cfg(test)]
macro_rules! on_packages {
    ($module:ident, $package:expr, $($scenario:ident)*) => {
        mod $module {
            use kit::{local::Storage, packages::Package};

            $(
                #[tokio::test]
                async fn $scenario() -> kit::Result<()> {
                    super::$scenario($package).await
                }
            )*
        }
    };
}

// Named as tests, so that the lints know what is only theirs.
#[cfg(test)]
mod access;
#[cfg(test)]
mod deployment;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod events;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod fauxbus;
#[cfg(test)]
mod fleet;
#[cfg(test)]
mod globus_sdk;
#[cfg(test)]
mod guard;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod late;
#[cfg(test)]
mod load;
#[cfg(test)]
mod operator;
#[cfg(test)]
mod packaged;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod programs;
#[cfg(test)]
mod sample_page;
#[cfg(test)]
mod scene;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod siblings;
#[cfg(test)]
mod sign_in;
#[cfg(test)]
mod stack;
#[cfg(test)]
mod start_up;
#[cfg(test)]
mod table;
#[cfg(test)]
mod terminal;
#[cfg(test)]
mod trouble;
#[cfg(test)]
mod visitor;
#[cfg(test)]
mod warm;
