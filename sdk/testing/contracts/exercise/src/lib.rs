//! A contract whose methods use every part of the SDK.
#![no_std]
