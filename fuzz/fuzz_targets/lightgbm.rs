#![no_main]
noema_fuzz::target!(lightgbm);
