# The CUDA files compiled for the CPU, and the tests that run on them: those of this folder, and the suites of the other
# devices again with the emulated card.

# A .cu file belongs to nvcc; a file that includes it can be the C++ compiler's.
set(acol_emulated)
foreach(source ${acol_cuda_kernels})
  get_filename_component(stem ${source} NAME_WE)
  set(wrapper ${CMAKE_CURRENT_BINARY_DIR}/cuda_emulated/${stem}.cpp)
  file(CONFIGURE OUTPUT ${wrapper} CONTENT "#include \"${source}\"\n" @ONLY)
  list(APPEND acol_emulated ${wrapper})
endforeach()

file(GLOB acol_emulation CONFIGURE_DEPENDS tests/cuda_emulation/*.cpp)
add_library(acol_cuda_emulated OBJECT ${acol_emulation} ${acol_cuda_host} ${acol_emulated})
target_include_directories(acol_cuda_emulated BEFORE PUBLIC tests/cuda_emulation)
target_compile_definitions(acol_cuda_emulated PUBLIC ACOL_EMULATED_CARD)
target_link_libraries(acol_cuda_emulated PUBLIC acol_tensor PRIVATE acol_warnings)
target_compile_options(acol_cuda_emulated PUBLIC -Wno-unknown-pragmas)  # #pragma unroll

# The program, for tests that run it.
add_executable(acol_emulated)
target_link_libraries(acol_emulated PRIVATE acol_cuda_emulated acol_program_parts acol)

# Suites that run on any device: on the emulated card, and where CUDA was built on the real one, where they are skipped
# if there is none. `convolutions`: with `simt` not on tensor cores, whose emulation is slow.
set(acol_on_cuda ACOL_TEST_DEVICE=cuda ACOL_CUDA_SYNC=1)
function(acol_device_tests library convolutions)
  foreach(name ${ARGN})
    acol_test_program(${name}_emulated tests/test_${name}.cpp acol_emulated acol_cuda_emulated ${library})
    acol_test_run(${name}_emulated test_${name}_emulated ${acol_on_cuda} ACOL_CUDA_CONV=${convolutions})
    if(ACOL_HAVE_CUDA)
      acol_test_run(${name}_cuda test_${name} ${acol_on_cuda})
      set_tests_properties(${name}_cuda PROPERTIES RESOURCE_LOCK card)
    endif()
  endforeach()
endfunction()

# Of these, suites that check the card's other table, that of bf16 activations, when they run again.
function(acol_bf16_tests)
  foreach(name ${ARGN})
    acol_test_run(${name}_emulated_bf16 test_${name}_emulated ${acol_on_cuda} ACOL_TEST_PRECISION=bf16)
    if(ACOL_HAVE_CUDA)
      acol_test_run(${name}_cuda_bf16 test_${name} ${acol_on_cuda} ACOL_TEST_PRECISION=bf16)
      set_tests_properties(${name}_cuda_bf16 PROPERTIES RESOURCE_LOCK card)
    endif()
  endforeach()
endfunction()

acol_device_tests(acol_tensor tensor_cores
  batch_norm conv2d dropout elementwise erase kernel_table pool2d resize2d sgd softmax tensor)
acol_bf16_tests(
  batch_norm conv2d dropout elementwise erase pool2d resize2d)
acol_device_tests(acol_autograd tensor_cores
  golden_ops op_errors saved variable)
acol_device_tests(acol_layers tensor_cores
  layers module optimizer)
acol_device_tests(acol tensor_cores
  golden)
acol_device_tests(acol simt
  device_program loader localizer logits model_file network probe resume step)
# Whole runs take minutes there; resume_emulated has some.
set_property(TEST step_emulated APPEND PROPERTY ENVIRONMENT "ACOL_TEST_CASES_LEFT_OUT=runs with lean*")
