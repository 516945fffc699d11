//! Writes a company into a folder and says how fast: `company FOLDER [CUSTOMERS] [MONTHS] [SEED]`.

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("name the folder to write to, as the first argument")?);
    let mut company = demo::Company::default();
    if let Some(customers) = arguments.next() {
        company.customers = customers.parse()?;
    }
    if let Some(months) = arguments.next() {
        company.months = months.parse()?;
    }
    if let Some(seed) = arguments.next() {
        company.seed = seed.parse()?;
    }

    let begun = Instant::now();
    let summary = demo::write(&company, &folder, &mut |_| {})?;
    let seconds = begun.elapsed().as_secs_f64();

    let mut out = std::io::stdout().lock();
    for file in &summary.files {
        writeln!(out, "{:<18} {:>12} rows {:>14} bytes", file.file, file.rows, file.bytes)?;
    }
    let rows = summary.rows();
    writeln!(out, "{rows} rows in {seconds:.2} s: {:.0} rows/s; now is {}", rows as f64 / seconds, summary.end)?;
    Ok(())
}
