use super::{Arg, NAMES, call};
use crate::{Kernels, Level, OpError, Status};

#[test]
fn unknown_names_and_wrong_arguments() {
    let kernels = Kernels::new(Level::Portable, 1).unwrap();
    assert_eq!(call(&kernels, "matmu", &[]).unwrap_err(), OpError::Status(Status::NotFound));
    for name in NAMES {
        assert_eq!(call(&kernels, name, &[]).unwrap_err(), OpError::Status(Status::BadArgument), "{name}");
        let wrong = [Arg::U64(0); 9];
        assert_eq!(call(&kernels, name, &wrong).unwrap_err(), OpError::Status(Status::BadArgument), "{name}");
    }
}
