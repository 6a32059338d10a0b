# Installs acol into a folder of its own, builds the program of this folder against it and runs it on a model.
set(work ${BUILD_DIR}/find_package)
file(REMOVE_RECURSE ${work})
file(MAKE_DIRECTORY ${work})

function(run)
  execute_process(COMMAND ${ARGN} WORKING_DIRECTORY ${work} RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE err)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${ARGN}\nended with ${status}\n${out}\n${err}")
  endif()
  set(output "${out}" PARENT_SCOPE)
endfunction()

# The program in the README is this one.
file(READ ${SOURCE_DIR}/README.md readme)
file(READ ${SOURCE_DIR}/tests/find_package/main.cpp program)
string(FIND "${readme}" "${program}" place)
if(place EQUAL -1)
  message(FATAL_ERROR "README.md does not show tests/find_package/main.cpp as it is")
endif()

run(${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${work}/installed)
run(${CMAKE_COMMAND} -S ${SOURCE_DIR}/tests/find_package -B ${work}/build -G ${GENERATOR}
    -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_PREFIX_PATH=${work}/installed -DCMAKE_BUILD_TYPE=Release)
run(${CMAKE_COMMAND} --build ${work}/build)
set(acol ${work}/installed/bin/acol)
run(${acol} synth --out data --classes 2 --train 4 --val 2 --size 32)
run(${acol} train --data data --out run --arch vgg11_bn --width 0.03 --resize 32 --crop 32 --epochs 1 --batch-size 4)
file(GLOB pictures ${work}/data/val/*/*.png)
list(GET pictures 0 picture)
run(${work}/build/box run/last.safetensors ${picture})
if(NOT output MATCHES "^[a-z]+ 0\\.[0-9]+ at [0-9]+,[0-9]+ to [0-9]+,[0-9]+\n$")
  message(FATAL_ERROR "unexpected output of the example: ${output}")
endif()
