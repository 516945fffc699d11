//! The files: their columns, and rows written fast and in bounded memory.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::calendar::{Calendar, Day, Moment};
use crate::price::Currency;
use crate::{DemoError, Facts, FileCount};

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

    /// Words of any kind, quoted where the format asks for it.
    pub(crate) fn words(&mut self, words: &str) -> &mut Sheet {
        if !words.contains([',', '"', '\n']) {
            return self.text(words);
        }
        self.buffer.push(b'"');
        for byte in words.bytes() {
            if byte == b'"' {
                self.buffer.push(b'"');
            }
            self.buffer.push(byte);
        }
        self.buffer.extend_from_slice(b"\",");
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

    /// A day with its time, `2025-01-31 09:30:00`, in the time zone of the business.
    pub(crate) fn moment(&mut self, calendar: &Calendar, moment: Moment) -> &mut Sheet {
        self.buffer.extend_from_slice(calendar.text(moment.day));
        let second = moment.second;
        for (mark, part) in [(b' ', second / 3_600), (b':', second / 60 % 60), (b':', second % 60)] {
            self.buffer.push(mark);
            self.digits(u64::from(part), 2);
        }
        self.buffer.push(b',');
        self
    }

    /// A moment that the files know, or nothing when it lies beyond the end.
    pub(crate) fn moment_if_known(&mut self, calendar: &Calendar, moment: Moment) -> &mut Sheet {
        if moment.day < calendar.end { self.moment(calendar, moment) } else { self.empty() }
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

/// Declares the files once: their fields, names and columns, in the order in which they are best imported.
macro_rules! sheets {
    ($(#[$about:meta])* $group:ident { $($field:ident: $name:literal $columns:expr;)* }) => {
        $(#[$about])*
        #[derive(Debug)]
        pub(crate) struct $group {
            $(pub(crate) $field: Sheet,)*
        }

        impl $group {
            fn new(folder: &Path) -> Result<$group, DemoError> {
                Ok($group { $($field: Sheet::new(folder, $name, $columns)?,)* })
            }

            fn rows(&self) -> u64 {
                0 $(+ self.$field.rows)*
            }

            /// To be called once a customer: this is what bounds the memory.
            pub(crate) fn write_if_full(&mut self) -> Result<(), DemoError> {
                $(self.$field.write_if_full()?;)*
                Ok(())
            }

            fn close(self) -> Result<Vec<FileCount>, DemoError> {
                Ok(vec![$(self.$field.close()?,)*])
            }
        }
    };
}

sheets! {
    /// The files of billing.
    Sheets {
        customers: "customers.csv" "customer,name,email,country,channel,company_size,signed_up";
        plans: "plans.csv" "plan,product,name,amount,currency,interval";
        subscriptions: "subscriptions.csv"
            "subscription,customer,plan,product,currency,amount,interval,interval_count,quantity,\
             discount_percent,discount_amount,discount_duration,status,trial_end,cancel_at,cancel_reason,start,end";
        invoices: "invoices.csv"
            "line,invoice,customer,subscription,plan,currency,amount,tax,service_start,service_end,issued,kind";
        payments: "payments.csv" "payment,invoice,customer,currency,amount,status,paid_at,failure_reason,attempt";
        rates: "fx-rates.csv" "day,base,quote,rate";
        contracts: "contracts.csv" "contract,customer,plan,currency,value,start,end,renewal_of";
    }
}

sheets! {
    /// The files of everything else: marketing, sales, the product, support and cash.
    Surroundings {
        visits: "visits.csv" "visitor,visited,channel,campaign,referrer,page,country";
        signups: "signups.csv" "signup,customer,visitor,signed_up,channel,campaign,plan,country";
        trials: "trials.csv" "trial,customer,user,plan,start,end,converted,channel";
        leads: "leads.csv" "lead,customer,visitor,user,stage,reached,channel,campaign,score,score_reason,country";
        spend: "spend.csv" "day,channel,campaign,category,currency,amount,clicks";
        costs: "costs.csv" "cost,day,category,vendor,currency,amount,description";
        cash: "cash-balances.csv" "day,account,currency,amount";
        events: "events.csv" "user,customer,session,name,occurred,feature";
        tickets: "tickets.csv" "ticket,customer,user,category,channel,priority,status,opened,first_response,resolved";
        surveys: "surveys.csv" "answer,survey,customer,user,ticket,score,scale,answered,comment";
        referrals: "referrals.csv" "referral,referrer,referred,invited,converted";
        experiments: "experiments.csv" "experiment,customer,arm,control,assigned";
        notes: "notes.csv" "note,day,kind,title,body,customer,author";
    }
}

/// Every file that is asked for.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) billing: Sheets,
    pub(crate) surroundings: Option<Surroundings>,
}

impl Folder {
    pub(crate) fn new(folder: &Path, facts: Facts) -> Result<Folder, DemoError> {
        let surroundings = match facts {
            Facts::All => Some(Surroundings::new(folder)?),
            Facts::Billing => None,
        };
        Ok(Folder { billing: Sheets::new(folder)?, surroundings })
    }

    pub(crate) fn rows(&self) -> u64 {
        self.billing.rows() + self.surroundings.as_ref().map_or(0, Surroundings::rows)
    }

    pub(crate) fn close(self) -> Result<Vec<FileCount>, DemoError> {
        let mut files = self.billing.close()?;
        if let Some(surroundings) = self.surroundings {
            files.append(&mut surroundings.close()?);
        }
        Ok(files)
    }
}
