#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include "src/store/memory.h"

int main(int argc, char** argv) {
  hearth::memory::register_thread();  // this thread makes all data there is
  return doctest::Context(argc, argv).run();
}
