//! Timing.

use crate::{error::Error, model::c_text, model::Call, model::Model, native};
use std::{os::raw::c_void, path::Path, time::Instant};

/// Time calls on the bundle's inputs of that batch size, print one JSON line, and return the exit code.
pub fn bench(model: &Model, bundle: &Path, batch: u32, blocks: u32) -> Result<u8, Error> {
    let (runtime, mut call) = (c_text("rust")?, model.bind(bundle, batch.into())?);
    let (version, context) = (model.version().as_ptr(), &mut call as *mut Call as *mut c_void);
    let code =
        unsafe { native::linreg_bench(runtime.as_ptr(), version, batch.into(), blocks as usize, block, context) };
    Ok(code as u8)
}

/// What `linreg_bench` calls: the nanoseconds of a block of calls, or -1; the context is the call.
unsafe extern "C" fn block(context: *mut c_void, calls: i64) -> i64 {
    let call = &mut *(context as *mut Call);
    let start = Instant::now();
    let mut good = true;
    for _ in 0..calls {
        good &= call.run();
    }
    let taken = start.elapsed().as_nanos() as i64;
    if good {
        taken
    } else {
        -1
    }
}
