//! A connection that is given up when the other side does not take what is sent to it: whoever listens without reading
//! would hold a place for ever.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

/// A stream that fails once a write has waited so long.
pub struct Patient<S> {
    stream: S,
    patience: Duration,
    /// When the write that waits is given up.
    until: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    /// Gives up on writes that wait longer than this.
    pub fn new(stream: S, patience: Duration) -> Self {
        Self { stream, patience, until: None }
    }

    /// What comes of a write: a failure where it has waited too long.
    fn waited<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.until = None;
            return written;
        }
        let until = Instant::now() + self.patience;
        let sleep = self.until.get_or_insert_with(|| Box::pin(sleep_until(until)));
        match sleep.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.waited(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.waited(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = Pin::new(&mut self.stream).poll_shutdown(context);
        self.waited(context, ended)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[test]
    fn whoever_does_not_read_is_given_up() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (near, mut far) = tokio::io::duplex(8);
            let mut patient = Patient::new(near, Duration::from_millis(50));
            patient.write_all(b"12345678").await.unwrap();
            let begun = Instant::now();
            let failed = patient.write_all(b"9").await.unwrap_err();
            assert_eq!(failed.kind(), io::ErrorKind::TimedOut);
            assert!(begun.elapsed() >= Duration::from_millis(50));
            // Whoever reads in time is written to for as long as it likes.
            let mut taken = [0; 8];
            tokio::io::AsyncReadExt::read_exact(&mut far, &mut taken).await.unwrap();
            patient.until = None;
            patient.write_all(b"9").await.unwrap();
        });
    }
}
