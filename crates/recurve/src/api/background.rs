//! Threads for work that nobody waits for: they stand back where others want the processor.

use rayon::{ThreadPool, ThreadPoolBuilder};

/// Some threads of their own.
pub struct Background(Option<ThreadPool>);

impl Background {
    /// Makes the threads. `standing_back` is by how much nicer they are than the others, as the system counts it: five leave
    /// some three quarters of a wanted processor to those, ten nine tenths.
    pub fn new(name: &'static str, standing_back: i32) -> Self {
        let pool = ThreadPoolBuilder::new().thread_name(move |number| format!("{name}-{number}"));
        #[cfg(target_os = "linux")]
        let pool = pool.start_handler(move |_| {
            // Of this thread alone. Where it may not be said, its work is done as anything else is.
            use rustix::process::{getpriority_process, setpriority_process};
            let _ = getpriority_process(None).and_then(|own| setpriority_process(None, own + standing_back));
        });
        #[cfg(not(target_os = "linux"))]
        let _ = standing_back;
        // Without threads of its own the work is done on those of whoever has it.
        Self(pool.build().ok())
    }

    /// Does work on them.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match &self.0 {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }
}
