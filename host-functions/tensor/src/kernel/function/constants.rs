//! Written by `conformance-tests/scripts/generate_vectors.py`; not to be edited by hand. All are truncated.
#![cfg_attr(rustfmt, rustfmt_skip)]

use super::reference::Wide;

/// `ln 2`, with 64 fraction bits.
pub(super) const LN_2: u64 = 0xb172_17f7_d1cf_79ab;

/// `2 / pi`, with 112 fraction bits.
pub(super) const TWO_OVER_PI: u128 = 0xa2f9_836e_4e44_1529_fc27_57d1_f534;

/// `pi / 2`, with 63 fraction bits.
pub(super) const HALF_PI: u64 = 0xc90f_daa2_2168_c234;

/// `pi`, with 256 fraction bits.
pub(super) const PI_256: Wide = Wide([0x082e_fa98_ec4e_6c89, 0xa409_3822_299f_31d0, 0x1319_8a2e_0370_7344, 0x243f_6a88_85a3_08d3, 0x0003]);

/// `2 / sqrt(pi)`, with 256 fraction bits.
pub(super) const TWO_OVER_SQRT_PI_256: Wide = Wide([0x7342_b061_99cc_4161, 0x2813_41d7_587c_ea2e, 0xe3a9_14fe_d7fd_8688, 0x20dd_7504_29b6_d11a, 0x0001]);

/// `1 / sqrt(2 pi)`, with 256 fraction bits.
pub(super) const ONE_OVER_SQRT_TWO_PI_256: Wide = Wide([0xc047_1b48_0263_9d2e, 0xd382_9f30_5127_06d8, 0x3f2c_f140_2eae_38bf, 0x6621_14cf_50d9_4234, 0x0000]);

/// `ln c` of `c = 1 + i / 128 + 1 / 256`, with 62 fraction bits.
pub(super) const LOG_CENTRES: [u64; 128] = [
    0x003f_e015_4562_1780, 0x00be_e23a_fc08_53b6, 0x013c_ea44_346a_574e, 0x01b9_fc02_7af9_197f,
    0x0236_1b31_247b_2ff8, 0x02b1_4b75_f91c_9a91, 0x032b_9061_d91c_7d6f, 0x03a4_ed71_5b61_6a42,
    0x041d_660d_6639_1c4c, 0x0494_fd8b_c285_05be, 0x050b_b72f_a991_bc0e, 0x0581_962a_4dd4_30ec,
    0x05f6_9d9b_5ec4_b321, 0x066a_d091_880c_eb36, 0x06de_320a_ec3b_6842, 0x0750_c4f5_9b2c_d757,
    0x07c2_8c30_0458_a998, 0x0833_8a89_652c_b715, 0x08a3_c2c2_33a1_5634, 0x0913_378c_852d_65be,
    0x0981_eb8c_723f_e97f, 0x09ef_e158_7663_14e5, 0x0a5d_1b79_cd2a_f2ad, 0x0ac9_9c6c_cc10_42e9,
    0x0b35_66a1_3956_a86f, 0x0ba0_7c7a_a01b_d264, 0x0c0a_e050_a1ab_f56b, 0x0c74_946f_4436_a055,
    0x0cdd_9b17_3efd_c1aa, 0x0d45_f67e_4417_8c61, 0x0dad_a8cf_47da_d237, 0x0e14_b42a_c60c_6051,
    0x0e7b_1aa7_04e2_ee24, 0x0ee0_de50_55f6_3eb0, 0x0f46_0129_552d_2ff4, 0x0faa_852b_25bd_9b83,
    0x100e_6c45_ad50_1cc6, 0x1071_b85f_cd59_0d1d, 0x10d4_6b57_9ab7_4b20, 0x1136_8702_93a8_b05e,
    0x1198_0d2d_d423_6f67, 0x11f8_ff9e_48a2_f28d, 0x1259_6010_df76_39ef, 0x12b9_303a_b89d_249d,
    0x1318_71c9_5441_84fa, 0x1377_2662_bfd8_5af2, 0x13d5_4fa5_c1f7_0f87, 0x1432_ef2a_04e8_13b5,
    0x1490_0680_4009_d0cc, 0x14ec_9732_6002_69af, 0x1548_a2c3_add2_62cf, 0x15a4_2ab0_f4cf_e19c,
    0x15ff_3070_a793_d3c8, 0x1659_b573_03e1_f281, 0x16b3_bb22_3594_3d89, 0x170d_42e2_7892_35d5,
    0x1766_4e12_39db_cec1, 0x17be_de0a_37af_bf9e, 0x1816_f41d_a0d4_95b5, 0x186e_919a_330b_a009,
    0x18c5_b7c8_58b4_8a87, 0x191c_67eb_45a8_3d87, 0x1972_a341_1351_5869, 0x19c8_6b02_dc08_629b,
    0x1a1d_c064_d5b9_9564, 0x1a72_a496_6bd9_ea16, 0x1ac7_18c2_58b0_e40c, 0x1b1b_1e0e_bdfc_5b69,
    0x1b6e_b59d_3cf3_5d9d, 0x1bc1_e08b_0dad_0a42, 0x1c14_9ff1_15f0_26ac, 0x1c66_f4e3_ff6f_f7e7,
    0x1cb8_e074_4d7a_c9fd, 0x1d0a_63ae_721e_6425, 0x1d5b_7f9a_e2c6_83cb, 0x1dac_353e_2c59_5423,
    0x1dfc_8599_06d5_b540, 0x1e4c_71a8_6877_042c, 0x1e9b_fa65_9861_f564, 0x1eeb_20c6_40dd_f435,
    0x1f39_e5bc_811e_5bcd, 0x1f88_4a36_fe9e_c22c, 0x1fd6_4f20_f615_71ca, 0x2023_f562_4bff_1430,
    0x2071_3ddf_9cc6_7678, 0x20be_297a_4c8b_3815, 0x210a_b910_968a_1cb8, 0x2156_ed7d_9c29_a380,
    0x21a2_c799_73ad_6fc1, 0x21ee_4839_3692_fa9d, 0x2239_702f_0f99_f081, 0x2284_404a_487a_89e5,
    0x22ce_b957_574c_1c07, 0x2318_dc1f_eb9e_0c17, 0x2362_a96a_fb45_3ddf, 0x23ac_21fc_cee0_0610,
    0x23f5_4697_0e12_9818, 0x243e_17f8_cb7d_d7c3, 0x2486_96de_9072_67c4, 0x24ce_c402_6861_bf9a,
    0x2516_a01b_ec0f_055e, 0x255e_2be0_4c81_5a39, 0x25a5_6802_5db9_3b57, 0x25ec_5532_a12a_8c5b,
    0x2632_f41f_4ffc_d43a, 0x2679_4574_6513_2990, 0x26bf_49db_a6dd_4004, 0x2705_01fc_b0f2_fd7f,
    0x274a_6e7c_fd7b_f319, 0x278f_8fff_ee64_0b90, 0x27d4_6726_d65e_b707, 0x2818_f491_01b9_d245,
    0x285d_38db_bf01_7e59, 0x28a1_34a2_6776_14a0, 0x28e4_e87e_6755_5a63, 0x2928_5507_45f8_0ef6,
    0x296b_7ad2_adc4_e71b, 0x29ae_5a74_73fa_008e, 0x29f0_f47e_a04d_d10b, 0x2a33_4981_7468_8ccd,
    0x2a75_5a0b_7336_f955, 0x2ab7_26a9_6817_9a79, 0x2af8_afe6_6de3_210b, 0x2b39_f64b_f5d0_fbee,
    0x2b7a_fa61_ce38_e637, 0x2bbb_bcae_2932_46ee, 0x2bfc_3db5_a312_311a, 0x2c3c_7dfb_48c8_cd2f,
];

/// `erf(i / 16)`, with 62 fraction bits.
pub(super) const ERF_SIXTEENTHS: [u64; 97] = [
    0x0000, 0x0481_f520_3a41_9614, 0x08fa_f0d1_ae1d_c4ba, 0x0d62_2f1b_ff12_9329,
    0x11af_54e2_32d6_0890, 0x15da_9f41_5ff2_3ef2, 0x19dd_0d2b_721f_38ba, 0x1db0_81ce_6e2a_47a0,
    0x214f_deb8_31db_a457, 0x24b7_1511_6dba_feca, 0x27e3_2db9_a1e2_6983, 0x2ad2_487a_5675_3663,
    0x2d83_92eb_3a1c_bed8, 0x2ff7_37f5_db00_f059, 0x322e_492a_371f_8b6c, 0x342a_a342_d55d_5e34,
    0x35ee_cf4e_8211_158d, 0x377d_e1f7_bcc4_4166, 0x38db_5a50_53d8_c3ca, 0x3a0b_0165_9fa4_92a7,
    0x3b10_cbb3_157c_0101, 0x3bf0_bd51_b631_1b04, 0x3cae_d187_6947_f831, 0x3d4e_e61d_a177_7296,
    0x3dd4_aaae_26f5_bf63, 0x3e43_93e2_5e0c_ede8, 0x3e9e_d276_cf7a_edb1, 0x3ee9_4db3_4707_06e1,
    0x3f25_a0ef_f1aa_da62, 0x3f56_1bb1_3a26_1128, 0x3f7c_c3dd_e99e_d48a, 0x3f9b_5994_17f6_e569,
    0x3fb3_5c28_4f2b_c665, 0x3fc6_0fe5_6a07_9fce, 0x3fd4_8431_acb2_93e1, 0x3fdf_99cd_0272_e7e4,
    0x3fe8_08ec_0633_687c, 0x3fee_6702_95f1_1842, 0x3ff3_2c1e_7d66_4dbd, 0x3ff6_b7be_cffc_de01,
    0x3ff9_551e_9937_d4d8, 0x3ffb_3ef1_8ea4_9482, 0x3ffc_a297_7b83_2de3, 0x3ffd_a2cf_6255_8311,
    0x3ffe_59f6_08a7_b2cd, 0x3ffe_dbdd_126a_5cdc, 0x3fff_3748_41d0_6844, 0x3fff_771e_2093_8c74,
    0x3fff_a358_826b_f2f7, 0x3fff_c1c0_2810_add2, 0x3fff_d67d_764c_f63c, 0x3fff_e486_d443_b764,
    0x3fff_edf3_ecfc_aaf0, 0x3fff_f43b_d18b_04c1, 0x3fff_f862_db3d_9f3a, 0x3fff_fb1c_345e_431f,
    0x3fff_fce2_1aac_bce4, 0x3fff_fe07_3f3d_1d31, 0x3fff_fec3_187b_4bee, 0x3fff_ff3a_88d9_97c8,
    0x3fff_ff85_e2e3_c6c2, 0x3fff_ffb5_0df5_518b, 0x3fff_ffd2_59db_2516, 0x3fff_ffe4_67dc_3aed,
    0x3fff_ffef_7222_ec42, 0x3fff_fff6_24ea_4aa8, 0x3fff_fffa_2d3a_18b8, 0x3fff_fffc_95da_bc09,
    0x3fff_fffe_0351_6c04, 0x3fff_fffe_da3c_ab4d, 0x3fff_ffff_57a4_51d6, 0x3fff_ffff_a03f_11b2,
    0x3fff_ffff_c9f4_603a, 0x3fff_ffff_e1ba_5686, 0x3fff_ffff_ef2c_4caf, 0x3fff_ffff_f6b7_c9a3,
    0x3fff_ffff_faeb_3afb, 0x3fff_ffff_fd3d_5fe1, 0x3fff_ffff_fe83_10bd, 0x3fff_ffff_ff34_35d2,
    0x3fff_ffff_ff93_cf96, 0x3fff_ffff_ffc7_00be, 0x3fff_ffff_ffe2_33b0, 0x3fff_ffff_fff0_8a6c,
    0x3fff_ffff_fff8_0a83, 0x3fff_ffff_fffb_ef11, 0x3fff_ffff_fffd_f045, 0x3fff_ffff_fffe_f680,
    0x3fff_ffff_ffff_7b73, 0x3fff_ffff_ffff_be55, 0x3fff_ffff_ffff_dfb7, 0x3fff_ffff_ffff_f040,
    0x3fff_ffff_ffff_f860, 0x3fff_ffff_ffff_fc56, 0x3fff_ffff_ffff_fe41, 0x3fff_ffff_ffff_ff2c,
    0x3fff_ffff_ffff_ff9c,
];

/// `2 / sqrt(pi) * exp(-(i / 16)^2)`, with 62 fraction bits.
pub(super) const DENSITY: [u64; 97] = [
    0x4837_5d41_0a6d_b446, 0x47ef_49f3_71cb_4ade, 0x4718_be87_a1a6_d8e7, 0x45b8_b5c2_4f36_3197,
    0x43d7_4580_bdf9_0360, 0x417f_4fb2_fb0a_5e0e, 0x3ebe_19b5_e2a6_2607, 0x3ba2_cf89_9f3a_54a2,
    0x383d_f949_34a0_22a6, 0x34a0_e9c4_2aec_407e, 0x30dd_2d28_2697_3b62, 0x2d03_fe49_6956_07e2,
    0x2925_c85a_f1a5_893a, 0x2551_b9db_c6ce_75a3, 0x2195_6c3e_1097_2642, 0x1dfc_a26f_5bbf_87c4,
    0x1a91_1f09_6fbc_25bd, 0x175a_91a7_f4d2_ed16, 0x145e_99bc_bb79_155e, 0x11a0_dc51_a993_4cc6,
    0x0f23_297d_6e5b_58fc, 0x0ce5_adea_a4d8_8873, 0x0ae7_2cae_22ad_850e, 0x0925_3dc2_69c4_b8b5,
    0x079c_8dc9_ae09_2a36, 0x0649_1c29_86da_595c, 0x0526_751e_2f29_cd44, 0x042f_e5fa_57ca_98eb,
    0x0360_aa60_6442_02ae, 0x02b4_11d0_b5e4_fc0f, 0x0225_9d66_fff3_786d, 0x01b1_1609_91ff_736c,
    0x0152_9b9e_8cf9_a1e3, 0x0106_ae13_b0d3_2549, 0x00ca_3127_3c70_7d75, 0x009a_6bed_e3b6_bf2a,
    0x0075_050e_a77f_a593, 0x0057_fc9d_43f9_e07e, 0x0041_a462_d8d5_5891, 0x0030_9746_0094_a19f,
    0x0023_b062_e1f7_edf6, 0x001a_0243_65f7_71bd, 0x0012_ce89_8809_244e, 0x000d_7e42_f07c_1709,
    0x0009_9b06_6691_ed9d, 0x0006_c8e9_688f_9084, 0x0004_c14e_3eed_dfb3, 0x0003_4e80_d080_4caa,
    0x0002_4811_d374_664f, 0x0001_8fdc_1b2d_cf7b, 0x0001_0f9e_1b4d_d36d, 0xb711_b3ee_13fc,
    0x7a6d_7a34_0339, 0x513c_8792_4153, 0x357c_13d2_2896, 0x22f0_79d5_8512,
    0x16a5_9721_9a93, 0x0e90_9cbf_56cc, 0x094b_5387_a0a0, 0x05e2_7edc_56ab,
    0x03b2_6e3c_5fef, 0x024d_f3bf_0a33, 0x016c_e1aa_3fd7, 0x00df_ebaa_ad1d,
    0x0088_58a4_4575, 0x0052_6032_cf20, 0x0031_619f_9c0a, 0x001d_5f3a_8dea,
    0x0011_55a0_9065, 0x000a_2693_6f28, 0x0005_e5d3_9d0f, 0x0003_6669_f589,
    0x0001_f1e3_523b, 0x0001_1a94_ff57, 0x9f22_7229, 0x58eb_1ad3,
    0x314c_2e8b, 0x1b1e_5acf, 0x0ecd_4407, 0x0804_27f8,
    0x044e_bd3c, 0x024b_f3dc, 0x0137_0ab8, 0x00a3_44be,
    0x0055_08bb, 0x002b_f170, 0x0016_8823, 0x000b_7697,
    0x0005_c961, 0x0002_e5fb, 0x0001_70be, 0xb5d4,
    0x58f6, 0x2b30, 0x14cd, 0x09f1,
    0x04b7,
];

/// The standard normal distribution at `i / 16` less one half, with 62 fraction bits.
pub(super) const NORMAL_SIXTEENTHS: [u64; 129] = [
    0x0000, 0x0198_4047_64ae_cc89, 0x032e_e93c_4069_5981, 0x04c2_684d_a4be_446d,
    0x0651_3456_2dda_d86a, 0x07d9_d217_427c_8c6d, 0x095a_d86f_e17d_bce6, 0x0ad2_f43b_11f2_3e0d,
    0x0c40_ebc4_6558_edbc, 0x0da3_a1c3_c4be_3ed2, 0x0efa_17d4_e1b3_602c, 0x1043_7062_0024_5ee6,
    0x117e_effd_4a62_d925, 0x12ab_fe27_60e2_ca07, 0x13ca_2585_3fad_a307, 0x14d9_138a_cac6_46e1,
    0x15d8_97a2_41a6_fa69, 0x16c8_a1db_6d2a_efeb, 0x17a9_412f_8327_a3bf, 0x187a_a168_6cb7_07f4,
    0x193d_08bb_5158_f5ae, 0x19f0_d526_ffd7_c66c, 0x1a96_79a7_08db_7e81, 0x1b2e_7b4c_24ec_bbf6,
    0x1bb9_6e49_da6e_0458, 0x1c37_f308_54bd_4a01, 0x1caa_b348_0b60_fa3e, 0x1d12_5f63_476a_7532,
    0x1d6f_abb7_d755_246a, 0x1dc3_4e41_67de_ccad, 0x1e0d_fc6b_1340_9851, 0x1e50_691c_d73c_3081,
    0x1e8b_4307_d362_7a06, 0x1ebf_3332_7f99_d957, 0x1eec_dbc4_80c7_fd85, 0x1f14_d710_65d9_c0c3,
    0x1f37_b6d8_6f16_4f6d, 0x1f56_03ca_8f5c_709b, 0x1f70_3d2f_1b26_b411, 0x1f86_d8c5_12b0_19e2,
    0x1f9a_42c6_a06d_8c6e, 0x1faa_de10_3f22_cadb, 0x1fb9_0464_fe08_3ae7, 0x1fc5_06ca_8003_19c8,
    0x1fcf_2df7_96c2_6ffa, 0x1fd7_bad0_b57c_9ac6, 0x1fde_e6ed_e306_4812, 0x1fe4_e526_4a60_6725,
    0x1fe9_e21e_067a_4a29, 0x1fee_04d3_452e_9496, 0x1ff1_6f28_5a8f_9149, 0x1ff4_3e68_d539_47d6,
    0x1ff6_8bc8_1417_e5fc, 0x1ff8_6cd8_440e_c28a, 0x1ff9_f3f9_06fd_a150, 0x1ffb_30bd_5523_a1a5,
    0x1ffc_3048_6da9_1045, 0x1ffc_fda1_e369_25cf, 0x1ffd_a201_0079_dc30, 0x1ffe_250f_de36_f203,
    0x1ffe_8d26_a9b4_d232, 0x1ffe_df7f_9e88_ef90, 0x1fff_2064_4ce2_dade, 0x1fff_5354_c51e_9a12,
    0x1fff_7b29_4355_a800, 0x1fff_9a2e_f1fe_c259, 0x1fff_b240_544c_9cb8, 0x1fff_c4d9_e07d_f575,
    0x1fff_d32b_4868_1b76, 0x1fff_de25_e3c5_bee4, 0x1fff_e688_a4ba_3d97, 0x1fff_ece9_f3e7_d93d,
    0x1fff_f1bf_c6b9_1627, 0x1fff_f566_384a_839a, 0x1fff_f824_e3e0_b6d3, 0x1fff_fa33_371e_1f3c,
    0x1fff_fbbb_ea49_7f0d, 0x1fff_fcdf_c5ea_c9b6, 0x1fff_fdb7_d6cc_49c9, 0x1fff_fe57_2bff_5242,
    0x1fff_fecc_35d0_decc, 0x1fff_ff21_d893_a27b, 0x1fff_ff60_42b9_3896, 0x1fff_ff8d_92d2_4bd2,
    0x1fff_ffae_57a4_ca12, 0x1fff_ffc5_f287_a60a, 0x1fff_ffd6_e28e_6aa9, 0x1fff_ffe2_fdb6_7ee8,
    0x1fff_ffeb_9c30_5638, 0x1fff_fff1_b8fd_40b4, 0x1fff_fff6_0a65_d6dc, 0x1fff_fff9_143d_19ab,
    0x1fff_fffb_3572_8732, 0x1fff_fffc_b21b_db8a, 0x1fff_fffd_bad9_3910, 0x1fff_fffe_7240_0f2e,
    0x1fff_fffe_f0cf_10ff, 0x1fff_ffff_47cd_44ad, 0x1fff_ffff_835d_8ade, 0x1fff_ffff_abfd_4129,
    0x1fff_ffff_c796_7ae1, 0x1fff_ffff_da43_a830, 0x1fff_ffff_e6da_903c, 0x1fff_ffff_ef4e_99af,
    0x1fff_ffff_f4f5_fda6, 0x1fff_ffff_f8ba_49b3, 0x1fff_ffff_fb3a_3aa5, 0x1fff_ffff_fce1_42e0,
    0x1fff_ffff_fdf7_d0ec, 0x1fff_ffff_feae_8598, 0x1fff_ffff_ff25_e47f, 0x1fff_ffff_ff73_9454,
    0x1fff_ffff_ffa5_f0f2, 0x1fff_ffff_ffc6_763a, 0x1fff_ffff_ffdb_613e, 0x1fff_ffff_ffe8_c84b,
    0x1fff_ffff_fff1_560e, 0x1fff_ffff_fff6_c628, 0x1fff_ffff_fffa_37b6, 0x1fff_ffff_fffc_63c8,
    0x1fff_ffff_fffd_c12e, 0x1fff_ffff_fffe_9bdc, 0x1fff_ffff_ffff_2431, 0x1fff_ffff_ffff_78db,
    0x1fff_ffff_ffff_ad3b, 0x1fff_ffff_ffff_cd80, 0x1fff_ffff_ffff_e14f, 0x1fff_ffff_ffff_ed6b,
    0x1fff_ffff_ffff_f4cb,
];

/// `1 / sqrt(2 pi) * exp(-(i / 16)^2 / 2)`, with 62 fraction bits.
pub(super) const NORMAL_DENSITY: [u64; 129] = [
    0x1988_4533_d436_508d, 0x197b_8441_bad7_97fc, 0x1955_6797_fced_534d, 0x1916_60fe_14c3_f345,
    0x18bf_2ba1_04be_cc72, 0x1850_c876_17d8_0a77, 0x17cc_794e_c163_0052, 0x1733_babf_5ba2_de7c,
    0x1688_3d02_2086_ac29, 0x15cb_dc05_eb96_9ee8, 0x1500_96dc_efd7_c83d, 0x1428_86c2_70d0_5573,
    0x1345_d5ef_ad34_148d, 0x125a_b677_8819_c9de, 0x1169_595e_2ff2_85ad, 0x1073_e61e_2d62_df6f,
    0x0f7c_72c7_198b_9bb8, 0x0e84_fcdb_f801_28a9, 0x0d8f_6310_1923_bab4, 0x0c9d_5ff9_c6bc_b64a,
    0x0bb0_85ca_18f8_63d3, 0x0aca_3b11_755c_f210, 0x09eb_b890_a7d2_c69a, 0x0916_080f_7b7c_be23,
    0x084a_042b_690f_4235, 0x0788_590b_82e7_d33c, 0x06d1_85e2_592c_8384, 0x0625_df23_32b2_5c28,
    0x0585_914d_afc5_8af1, 0x04f0_a431_b4d9_d77b, 0x0466_fe8d_45b6_b727, 0x03e8_69e6_aed7_57b4,
    0x0374_9686_dd07_5a8d, 0x030b_1f79_f0c4_66c6, 0x02ab_8e7e_cee7_6203, 0x0255_5fd1_84e7_f2ea,
    0x0208_05bf_a7b8_3436, 0x01c2_ebf9_3dd8_94f6, 0x0185_7a94_2835_00bf, 0x014f_18bb_3e12_1270,
    0x011f_2f05_57f5_2562, 0x00f5_2973_4232_8822, 0x00d0_7915_f4e9_923c, 0x00b0_9560_74d3_f48c,
    0x0094_fd2a_631a_0f1f, 0x007d_3769_830e_1784, 0x0068_d3a9_5f63_38d6, 0x0057_6a48_c40c_d492,
    0x0048_9c84_ff5d_da22, 0x003c_145a_d697_8143, 0x0031_8444_daf5_ca6b, 0x0028_a6de_5fc1_b7a4,
    0x0021_3e71_c314_5040, 0x001b_1478_142a_9f43, 0x0015_f90f_6ce8_7b37, 0x0011_c26c_98be_9100,
    0x000e_4c4b_e8a3_f30f, 0x000b_7764_5ff0_8c92, 0x0009_28df_bd15_87d6, 0x0007_49d9_46ab_1464,
    0x0005_c6e4_bb2a_a9e4, 0x0004_8f9e_4911_6c4d, 0x0003_9644_0e5a_4147, 0x0002_cf59_48df_9147,
    0x0002_3153_1c58_1696, 0x0001_b44e_9cfc_e5be, 0x0001_51cf_a5ec_5ce7, 0x0001_0487_e65c_faa0,
    0xc825_7eef_4665, 0x9928_7f31_5efe, 0x74be_9112_1ba3, 0x58a4_2316_96da,
    0x430a_694c_f42f, 0x3281_9707_4d92, 0x25e6_bf63_a7a0, 0x1c54_d7b6_ee03,
    0x1518_646f_bb0c, 0x0fa5_666d_fdf7, 0x0b8f_2bbb_9d85, 0x0881_b2c1_d47c,
    0x063c_5a59_323f, 0x048d_a34c_8f07, 0x034f_d10f_2f7f, 0x0266_3f7d_0e8e,
    0x01bb_4a8b_e266, 0x013e_aaec_1f3e, 0x00e4_2fcf_0306, 0x00a2_c26f_bd05,
    0x0073_a3b0_e494, 0x0051_d733_335f, 0x0039_b1d4_5683, 0x0028_8398_9906,
    0x001c_56b2_4c53, 0x0013_beb6_550c, 0x000d_b424_594e, 0x0009_7947_05fd,
    0x0006_8620_3ef4, 0x0004_799e_b47c, 0x0003_0ec5_b45f, 0x0002_14c3_4395,
    0x0001_6930_a864, 0xf3ea_a3bb, 0xa413_f6c5, 0x6df1_1a4b,
    0x4961_55ab, 0x30c9_5049, 0x204f_1226, 0x1550_2d52,
    0x0e01_3e6d, 0x092a_ac29, 0x05f9_fe88, 0x03e1_a4c6,
    0x0282_cc7e, 0x019e_3659, 0x0109_df86, 0x00a9_fe0d,
    0x006c_43d5, 0x0044_aee1, 0x002b_6710, 0x001b_51fc,
    0x0011_2148, 0x000a_b2e2, 0x0006_a7ef, 0x0004_1fef,
    0x0002_8bd0, 0x0001_90c9, 0xf579, 0x95c3,
    0x5b03,
];
