//! The functions of `deploy/c/linreg.h`, looked up in liblinreg.so when the first model or tensor is made.

use crate::error::Error;
use std::{
    env,
    ffi::{CStr, CString},
    mem,
    os::raw::{c_char, c_int, c_void},
    os::unix::ffi::OsStrExt,
    path::PathBuf,
    ptr,
    sync::atomic::{AtomicPtr, Ordering},
};

pub const ERROR_BYTES: usize = 512;
pub const MAX_RANK: usize = 8;

#[repr(C)]
pub struct Tensor {
    pub element_type: i32,
    pub rank: usize,
    pub dims: [i64; MAX_RANK],
    pub count: usize,
    pub bytes: usize,
    pub data: *mut c_void,
}

impl Tensor {
    pub fn empty() -> Self {
        Tensor { element_type: 0, rank: 0, dims: [0; MAX_RANK], count: 0, bytes: 0, data: ptr::null_mut() }
    }
}

#[repr(C)]
pub struct Model {
    _opaque: [u8; 0],
}

#[repr(C)]
pub struct Call {
    _opaque: [u8; 0],
}

pub type Run = unsafe extern "C" fn(*mut c_void, *const Tensor, usize, *mut Tensor, usize, error: *mut c_char) -> bool;
pub type Block = unsafe extern "C" fn(*mut c_void, calls: i64) -> i64;

/// A function for each of the library's, to be called after `load`, and a struct of their addresses.
macro_rules! functions {
    ($(fn $name:ident($($argument:ident: $kind:ty),*) $(-> $result:ty)?;)*) => {
        struct Functions {
            $($name: unsafe extern "C" fn($($kind),*) $(-> $result)?,)*
        }

        impl Functions {
            fn find(library: *mut c_void) -> Result<Functions, Error> {
                let address = |name: &str| match unsafe { dlsym(library, name.as_ptr() as *const c_char) } {
                    address if address.is_null() => Err(failure()),
                    address => Ok(address),
                };
                Ok(Functions {
                    $($name: unsafe {
                        mem::transmute::<*mut c_void, unsafe extern "C" fn($($kind),*) $(-> $result)?>(
                            address(concat!(stringify!($name), "\0"))?
                        )
                    },)*
                })
            }
        }

        $(pub unsafe fn $name($($argument: $kind),*) $(-> $result)? {
            (loaded().$name)($($argument),*)
        })*
    };
}

functions! {
    fn linreg_open(path: *const c_char, error: *mut c_char) -> *mut Model;
    fn linreg_open_bundle(bundle: *const c_char, error: *mut c_char) -> *mut Model;
    fn linreg_close(model: *mut Model);
    fn linreg_version(model: *const Model) -> *const c_char;
    fn linreg_output_count(model: *const Model) -> usize;
    fn linreg_run(model: *const Model, inputs: *const Tensor, input_count: usize, outputs: *mut Tensor,
        output_count: usize, error: *mut c_char) -> bool;
    fn linreg_allocate_tensor(tensor: *mut Tensor, element_type: i32, rank: usize, dims: *const i64,
        error: *mut c_char) -> bool;
    fn linreg_free_tensor(tensor: *mut Tensor);
    fn linreg_verify(runtime: *const c_char, bundle: *const c_char, run: Run, context: *mut c_void) -> c_int;
    fn linreg_bind(model: *const Model, bundle: *const c_char, batch: i64, error: *mut c_char) -> *mut Call;
    fn linreg_call(call: *mut Call) -> bool;
    fn linreg_unbind(call: *mut Call);
    fn linreg_bench(runtime: *const c_char, version: *const c_char, batch: i64, blocks: usize, block: Block,
        context: *mut c_void) -> c_int;
}

// The standard library links with the C library, which has these.
extern "C" {
    fn dlopen(path: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
    fn dlerror() -> *const c_char;
}

const RTLD_NOW: c_int = 2;

static FUNCTIONS: AtomicPtr<Functions> = AtomicPtr::new(ptr::null_mut());

/// Load the library of LINREG_LIBRARY, or else liblinreg.so beside the program. It stays loaded.
/// Threads that do so at once find the same addresses.
pub fn load() -> Result<(), Error> {
    if FUNCTIONS.load(Ordering::Acquire).is_null() {
        let path = CString::new(path()?.as_os_str().as_bytes()).map_err(|_| Error::new("the path has a zero byte"))?;
        let library = unsafe { dlopen(path.as_ptr(), RTLD_NOW) };
        if library.is_null() {
            return Err(failure());
        }
        FUNCTIONS.store(Box::into_raw(Box::new(Functions::find(library)?)), Ordering::Release);
    }
    Ok(())
}

fn loaded() -> &'static Functions {
    unsafe { FUNCTIONS.load(Ordering::Acquire).as_ref() }.expect("a model or a tensor loads the library")
}

fn path() -> Result<PathBuf, Error> {
    match env::var_os("LINREG_LIBRARY") {
        Some(path) => Ok(path.into()),
        None => env::current_exe()
            .map(|program| program.with_file_name("liblinreg.so"))
            .map_err(|error| Error::new(format!("the program's folder is unknown: {error}; set LINREG_LIBRARY"))),
    }
}

/// What dlopen or dlsym complained about; it names the file.
fn failure() -> Error {
    let line = unsafe { CStr::from_ptr(dlerror()) }.to_string_lossy();
    Error::new(format!("{line}; build deploy/c, and set LINREG_LIBRARY to its liblinreg.so"))
}
