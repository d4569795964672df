//! What the code takes for granted of the simulator.

use super::sites::thread_type;
use crate::processor::Processor;
use inkwell::context::Context;
use std::mem::offset_of;
use tfc_compiler::simulation::Thread;

#[test]
fn a_thread_lies_in_memory_as_the_simulator_writes_it() {
    let context = Context::create();
    let machine = Processor::host().machine().unwrap();
    let (layout, thread) = (machine.get_target_data(), thread_type(&context));
    let offsets: Vec<_> = (0..5).map(|field| layout.offset_of_element(&thread, field).unwrap() as usize).collect();
    let of_fields = [
        offset_of!(Thread, registers),
        offset_of!(Thread, lane),
        offset_of!(Thread, site),
        offset_of!(Thread, hand_over),
        offset_of!(Thread, words),
    ];
    assert_eq!(offsets, of_fields);
    assert_eq!(layout.get_abi_size(&thread) as usize, size_of::<Thread>());
}
