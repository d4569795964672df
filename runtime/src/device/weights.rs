//! Weights: parameters in the form in which products read them.

use super::HostTensor;
use half::bf16;
use tfc_compiler::precision::Precision;
use tfc_compiler::storage::WeightForm;

/// Rows that are turned together: what is written of a column is whole cache lines.
const TOGETHER: usize = 32;

/// Writes a parameter as a weight; f64 is rounded to f32 first.
pub fn write(form: WeightForm, parameter: &HostTensor, bytes: &mut [u8]) {
    let shape = matrix(parameter.shape(), form.transposed);
    let rounded = |x: f32| bf16::from_f32(x).to_bits();
    match (parameter, form.precision) {
        (HostTensor::F32 { data, .. }, Precision::F32) => turn(data, shape, bytemuck::cast_slice_mut(bytes), |x| x),
        (HostTensor::F64 { data, .. }, Precision::F32) => {
            turn(data, shape, bytemuck::cast_slice_mut(bytes), |x| x as f32);
        }
        (HostTensor::F32 { data, .. }, Precision::Bf16) => turn(data, shape, bytemuck::cast_slice_mut(bytes), rounded),
        (HostTensor::F64 { data, .. }, Precision::Bf16) => {
            turn(data, shape, bytemuck::cast_slice_mut(bytes), |x| rounded(x as f32));
        }
        (HostTensor::I32 { .. }, _) => panic!("bug in tfc: a parameter of integers"),
    }
}

/// The parameter of a shape that is stored as a weight, as far as rounding has left it.
pub fn read(form: WeightForm, bytes: &[u8], shape: Vec<usize>) -> HostTensor {
    let mut data = vec![0.0; shape.iter().product()];
    let stored = matrix(&form.shape(&shape), form.transposed);
    match form.precision {
        Precision::F32 => turn(bytemuck::cast_slice(bytes), stored, &mut data, |x: f32| x),
        Precision::Bf16 => turn(bytemuck::cast_slice(bytes), stored, &mut data, |x| bf16::from_bits(x).to_f32()),
    }
    HostTensor::F32 { shape, data }
}

/// Rows and columns to be turned; what is not is one row.
fn matrix(shape: &[usize], turned: bool) -> [usize; 2] {
    match *shape {
        [rows, columns] if turned => [rows, columns],
        _ => [1, shape.iter().product()],
    }
}

/// Writes the columns of a matrix as rows.
fn turn<T: Copy, U>(from: &[T], [rows, columns]: [usize; 2], to: &mut [U], convert: impl Fn(T) -> U) {
    for first in (0..rows).step_by(TOGETHER) {
        for column in 0..columns {
            for row in first..rows.min(first + TOGETHER) {
                to[column * rows + row] = convert(from[row * columns + column]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_rounded_and_turned_and_come_back() {
        let shape = vec![2, 3];
        let exact = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        // 1 + 2⁻⁹ lies between two bf16, nearer to 1.
        let data: Vec<f32> = exact.iter().map(|x| x * (1.0 + 1.0 / 512.0)).collect();
        let parameter = HostTensor::F32 { shape: shape.clone(), data: data.clone() };
        for transposed in [false, true] {
            let order = if transposed { [0, 3, 1, 4, 2, 5] } else { [0, 1, 2, 3, 4, 5] };
            let form = WeightForm { precision: Precision::F32, transposed };
            let mut stored = vec![0f32; 6];
            write(form, &parameter, bytemuck::cast_slice_mut(&mut stored));
            assert_eq!(stored, order.map(|i| data[i]));
            assert_eq!(read(form, bytemuck::cast_slice(&stored), shape.clone()), parameter);

            let form = WeightForm { precision: Precision::Bf16, transposed };
            let mut stored = vec![0u16; 6];
            write(form, &parameter, bytemuck::cast_slice_mut(&mut stored));
            assert_eq!(stored, order.map(|i| (exact[i].to_bits() >> 16) as u16));
            let rounded = HostTensor::F32 { shape: shape.clone(), data: exact.to_vec() };
            assert_eq!(read(form, bytemuck::cast_slice(&stored), shape.clone()), rounded);
        }
    }
}
