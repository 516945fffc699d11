//! The files: their columns, and rows written fast and in bounded memory.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::calendar::{Calendar, Day};
use crate::price::Currency;
use crate::{DemoError, FileCount};

/// Rows gather in memory up to this size before they are written.
const BUFFER_BYTES: usize = 1 << 20;

/// One CSV file. Rows are appended without errors; the disk is asked, and may
/// refuse, once a customer in [`Sheet::write_if_full`].
#[derive(Debug)]
pub(crate) struct Sheet {
    name: &'static str,
    path: PathBuf,
    file: File,
    buffer: Vec<u8>,
    rows: u64,
    bytes: u64,
}

impl Sheet {
    fn new(folder: &Path, name: &'static str, header: &str) -> Result<Sheet, DemoError> {
        let path = folder.join(name);
        let file = match File::create(&path) {
            Ok(file) => file,
            Err(source) => return Err(DemoError::Create { path, source }),
        };
        let mut buffer = Vec::with_capacity(BUFFER_BYTES + BUFFER_BYTES / 4);
        buffer.extend_from_slice(header.as_bytes());
        buffer.push(b'\n');
        Ok(Sheet { name, path, file, buffer, rows: 0, bytes: 0 })
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Sheet {
        self.buffer.extend_from_slice(text.as_bytes());
        self.buffer.push(b',');
        self
    }

    pub(crate) fn empty(&mut self) -> &mut Sheet {
        self.buffer.push(b',');
        self
    }

    pub(crate) fn number(&mut self, number: u32) -> &mut Sheet {
        self.digits(u64::from(number), 1);
        self.buffer.push(b',');
        self
    }

    pub(crate) fn day(&mut self, calendar: &Calendar, day: Day) -> &mut Sheet {
        self.buffer.extend_from_slice(calendar.text(day));
        self.buffer.push(b',');
        self
    }

    pub(crate) fn day_if(&mut self, calendar: &Calendar, day: Option<Day>) -> &mut Sheet {
        match day {
            Some(day) => self.day(calendar, day),
            None => self.empty(),
        }
    }

    /// Minor units, written in major units.
    pub(crate) fn money(&mut self, minor: i64, currency: Currency) -> &mut Sheet {
        self.decimal(minor, currency.decimals())
    }

    /// `value ÷ 10^decimals`, written out.
    pub(crate) fn decimal(&mut self, value: i64, decimals: u32) -> &mut Sheet {
        if value < 0 {
            self.buffer.push(b'-');
        }
        let scale = 10_u64.pow(decimals);
        let value = value.unsigned_abs();
        self.digits(value / scale, 1);
        if decimals > 0 {
            self.buffer.push(b'.');
            self.digits(value % scale, decimals as usize);
        }
        self.buffer.push(b',');
        self
    }

    /// A letter and the customer's number, with a second and a third part when they are above nought:
    /// `c00000042`, `i00000042-3`, `l00000042-3-1`.
    pub(crate) fn id(&mut self, letter: u8, customer: u64, second: u32, third: u32) -> &mut Sheet {
        self.buffer.push(letter);
        self.digits(customer, 8);
        for part in [second, third] {
            if part > 0 {
                self.buffer.push(b'-');
                self.digits(u64::from(part), 1);
            }
        }
        self.buffer.push(b',');
        self
    }

    /// Ends the row that the calls before have filled.
    pub(crate) fn end_row(&mut self) {
        if let Some(last) = self.buffer.last_mut() {
            *last = b'\n';
        }
        self.rows += 1;
    }

    fn digits(&mut self, mut value: u64, width: usize) {
        let mut text = [b'0'; 20];
        let mut at = text.len();
        while value > 0 {
            at -= 1;
            text[at] = b'0' + (value % 10) as u8;
            value /= 10;
        }
        let from = at.min(text.len() - width);
        self.buffer.extend_from_slice(&text[from..]);
    }

    pub(crate) fn write_if_full(&mut self) -> Result<(), DemoError> {
        if self.buffer.len() < BUFFER_BYTES { Ok(()) } else { self.write() }
    }

    fn write(&mut self) -> Result<(), DemoError> {
        if let Err(source) = self.file.write_all(&self.buffer) {
            return Err(DemoError::Write { path: self.path.clone(), source });
        }
        self.bytes += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn close(mut self) -> Result<FileCount, DemoError> {
        self.write()?;
        Ok(FileCount { file: self.name, rows: self.rows, bytes: self.bytes })
    }
}

/// Every file of the company.
#[derive(Debug)]
pub(crate) struct Sheets {
    pub(crate) customers: Sheet,
    pub(crate) plans: Sheet,
    pub(crate) subscriptions: Sheet,
    pub(crate) invoices: Sheet,
    pub(crate) payments: Sheet,
    pub(crate) rates: Sheet,
    pub(crate) contracts: Sheet,
}

impl Sheets {
    pub(crate) fn new(folder: &Path) -> Result<Sheets, DemoError> {
        let sheet = |name, header| Sheet::new(folder, name, header);
        Ok(Sheets {
            customers: sheet("customers.csv", "customer,name,email,country,channel,company_size,signed_up")?,
            plans: sheet("plans.csv", "plan,product,name,amount,currency,interval")?,
            subscriptions: sheet(
                "subscriptions.csv",
                "subscription,customer,plan,product,currency,amount,interval,interval_count,quantity,\
                 discount_percent,discount_amount,discount_duration,status,trial_end,cancel_at,cancel_reason,start,end",
            )?,
            invoices: sheet(
                "invoices.csv",
                "line,invoice,customer,subscription,plan,currency,amount,tax,service_start,service_end,issued,kind",
            )?,
            payments: sheet(
                "payments.csv",
                "payment,invoice,customer,currency,amount,status,paid_at,failure_reason,attempt",
            )?,
            rates: sheet("fx-rates.csv", "day,base,quote,rate")?,
            contracts: sheet("contracts.csv", "contract,customer,plan,currency,value,start,end,renewal_of")?,
        })
    }

    pub(crate) fn rows(&self) -> u64 {
        let sheets = [
            &self.customers,
            &self.plans,
            &self.subscriptions,
            &self.invoices,
            &self.payments,
            &self.rates,
            &self.contracts,
        ];
        sheets.iter().map(|sheet| sheet.rows).sum()
    }

    /// To be called once a customer: this is what bounds the memory.
    pub(crate) fn write_if_full(&mut self) -> Result<(), DemoError> {
        self.customers.write_if_full()?;
        self.subscriptions.write_if_full()?;
        self.invoices.write_if_full()?;
        self.payments.write_if_full()?;
        self.contracts.write_if_full()
    }

    pub(crate) fn close(self) -> Result<Vec<FileCount>, DemoError> {
        Ok(vec![
            self.customers.close()?,
            self.plans.close()?,
            self.subscriptions.close()?,
            self.invoices.close()?,
            self.payments.close()?,
            self.rates.close()?,
            self.contracts.close()?,
        ])
    }
}
