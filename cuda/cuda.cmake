# Which files of this folder the library gets, and with what: sets acol_cuda_sources and ACOL_HAVE_CUDA.

set(acol_cuda_host cuda/device_arena.cpp cuda/runtime.cpp cuda/table.cpp)
set(acol_cuda_kernels
    cuda/batch_norm.cu cuda/conv2d.cu cuda/conv_mma.cu cuda/conv_mma_backward_data.cu cuda/conv_mma_backward_weights.cu
    cuda/dropout.cu cuda/elementwise.cu cuda/erase.cu cuda/pictures.cu cuda/pool2d.cu cuda/resize.cu cuda/sgd.cu cuda/softmax.cu)

set(ACOL_HAVE_CUDA OFF)
if(ACOL_CUDA MATCHES "^(AUTO|ON)$")
  set(acol_cuda_wish ${CMAKE_CUDA_ARCHITECTURES})
  if(NOT acol_cuda_wish)
    set(CMAKE_CUDA_ARCHITECTURES 75)  # until the compiler's version is known
  endif()
  include(CheckLanguage)
  if(NOT ACOL_SANITIZE OR ACOL_CUDA STREQUAL "ON")
    check_language(CUDA)
  endif()
  set(acol_without_cuda "no nvcc was found; put it into PATH or set CMAKE_CUDA_COMPILER")
  if(CMAKE_CUDA_COMPILER)
    enable_language(CUDA)
    if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 12.0)
      set(acol_without_cuda "nvcc is of version ${CMAKE_CUDA_COMPILER_VERSION}, C++20 needs 12.0 or later")
    else()
      find_package(CUDAToolkit REQUIRED)
      set(ACOL_HAVE_CUDA ON)
    endif()
  endif()
  if(NOT ACOL_HAVE_CUDA AND ACOL_CUDA STREQUAL "ON")
    message(FATAL_ERROR "ACOL_CUDA=ON, but ${acol_without_cuda}; or use AUTO or OFF")
  elseif(NOT ACOL_HAVE_CUDA)
    message(STATUS "acol: without CUDA: ${acol_without_cuda}")
  endif()
elseif(NOT ACOL_CUDA STREQUAL "OFF")
  message(FATAL_ERROR "ACOL_CUDA=${ACOL_CUDA}: expected AUTO, ON or OFF")
endif()

# One binary for every card from compute capability 7.5 on; cards that come later compile from the last one's virtual code.
if(ACOL_HAVE_CUDA AND NOT acol_cuda_wish)
  set(CMAKE_CUDA_ARCHITECTURES 75-real 80-real 86-real 89-real)
  if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 12.8)
    list(APPEND CMAKE_CUDA_ARCHITECTURES 90)
  else()
    list(APPEND CMAKE_CUDA_ARCHITECTURES 90-real 100-real 120)
  endif()
endif()
if(ACOL_HAVE_CUDA AND NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # older CMake does not know that nvcc has C++20
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
endif()

if(ACOL_HAVE_CUDA)
  set(acol_cuda_sources ${acol_cuda_host} ${acol_cuda_kernels})
else()
  set(acol_cuda_sources cuda/unavailable.cpp)
endif()

# After the library's target: what its CUDA files are compiled and linked with. A kernel that spills registers to memory
# is an error, not a slow kernel.
function(acol_use_cuda target)
  if(NOT ACOL_HAVE_CUDA)
    return()
  endif()
  target_link_libraries(${target} PRIVATE CUDA::cudart_static)
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:--expt-relaxed-constexpr;-Xptxas=-warn-spills,-Werror>)
endfunction()
