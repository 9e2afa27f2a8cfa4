//! Five hospitals with 40 patients each train together, and tell 289 others better than each alone.

use private_health::Terms;
use private_health::model::Prediction;
use private_health::rounds::Ending;
use private_health_client::training::{Patients, logit, real, train};

use crate::world::{DATA, HOSPITALS, RATE, STEPS, TERMS, World};

const ROUNDS: u32 = 8;

fn right(weights: &[f64], patients: &Patients) -> usize {
    let right = |(row, label): (&Vec<f64>, &usize)| (logit(weights, row) > 0.0) == (*label == 1);
    patients.encoded.iter().zip(&patients.labels).filter(|pair| right(*pair)).count()
}

#[test]
fn together_they_are_better_than_the_best_of_them_alone() {
    let mut world = World::new();
    let patients: Vec<Patients> = DATA.hospitals.iter().map(|cases| world.encoded(cases)).collect();
    let heldout = world.encoded(&DATA.heldout);
    let zero = real(&world.weights());
    // Alone: as many steps as in all rounds, and no clip.
    let alone: Vec<_> = patients.iter().map(|own| right(&train(&zero, own, STEPS * ROUNDS, RATE), &heldout)).collect();
    for _ in 0..ROUNDS {
        let updates: Vec<Vec<i32>> = patients.iter().map(|own| world.update(own)).collect();
        let done = world.whole_round(&updates.clone().try_into().unwrap());
        println!("{:?}, {} gas", done.value, done.receipt.gas_used());
        assert!(matches!(done.value, Ending::Averaged { before, after } if after + 1 >= before));
    }
    // On the chain, patient by patient.
    let mut together = 0;
    for case in &DATA.heldout {
        let prediction: Prediction = world.view("predict", &(case.row,));
        together += usize::from(prediction.malignant == case.malignant);
    }
    println!("right of {}: together {together}, alone {alone:?}", DATA.heldout.len());
    for (hospital, alone) in HOSPITALS.iter().zip(alone) {
        assert!(together > alone, "{hospital} alone: {alone}, together: {together}");
    }
    assert!(together * 100 >= DATA.heldout.len() * 94);
}

#[test]
fn the_contract_adds_exactly_the_average() {
    // Any update, however little it teaches.
    let mut world = World::with(Terms { tolerance: 40, ..TERMS });
    let updates: Vec<Vec<i32>> =
        (0..5).map(|site| (0..17).map(|i| 1_000 * site - 40 * i * site + 3).collect()).collect();
    world.whole_round(&updates.clone().try_into().unwrap());
    for (i, weight) in world.weights().into_iter().enumerate() {
        let sum: i32 = updates.iter().map(|update| update[i]).sum();
        assert_eq!(weight, (f64::from(sum) / 5.0).round_ties_even() as i32);
    }
}
