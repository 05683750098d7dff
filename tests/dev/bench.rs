//! `cargo dev bench`: what the packaged functions cost, beside the committed figures.

use kit::{
    Result,
    costs::{
        Bench,
        figures::{Figures, tools_here},
        sign_in::Trace,
    },
    local::Storage,
    tools::{self, println_step},
};

/// Measures, shows what was measured, and either writes it or says whether it is too far from what is committed.
pub(crate) async fn bench(write: bool) -> Result<()> {
    tools::system_for_tests()?;
    tools::for_tests()?;
    let committed = Figures::committed()?;
    let (cookies, table) = (Bench::start(Storage::Cookies).await?, Bench::start(Storage::Table).await?);

    let traces = cookies.traces().await?;
    println_step(&traces.iter().map(Trace::text).collect::<Vec<_>>().join("\n"));
    let completed = cookies.instructions_to_complete().await?;
    println_step(&format!("To complete the first sign-in of a process, login runs {completed} instructions.\n"));

    let mut programs = cookies.programs().await?;
    // The bare function is the same for both storages.
    programs.extend(table.programs().await?.into_iter().skip(1));
    let sign_ins = traces.iter().map(Trace::row).collect();
    let measured = Figures { tools: tools_here()?, programs, sign_ins };
    println_step(&measured.compared_with(&committed));
    if !write {
        return measured.check(&committed);
    }
    measured.write()?;
    println_step("The figures are in docs/performance.md now.");
    Ok(())
}
