#include "cluster/model/render.h"

#include <doctest/doctest.h>

#include <string>

using namespace hearth;
using namespace hearth::cluster;

namespace {

const std::string kA(40, 'a');
const std::string kB(40, 'b');

}  // namespace

TEST_CASE("open slots as text are read as what they were") {
  View view;
  for (const auto& id : {kA, kB}) {
    NodeView node;
    node.id = NodeId(id);
    node.flags = node_flag::kPrimary;
    view.nodes.push_back(node);
  }
  view.myself = 0;
  view.index();
  CHECK(open_slots_text(view).empty());
  view.migrating = {{0, 1}, {16383, 1}};
  view.importing = {{77, 0}};
  const std::string text = open_slots_text(view);
  CHECK(text == "77<" + kA + ",0>" + kB + ",16383>" + kB + ",");
  const auto read = parse_open_slots(text);
  REQUIRE(read.has_value());
  REQUIRE(read->size() == 3);
  CHECK((*read)[0].slot == 77);
  CHECK((*read)[0].imports);
  CHECK((*read)[0].node == NodeId(kA));
  CHECK((*read)[2].slot == 16383);
  CHECK_FALSE((*read)[2].imports);
  CHECK(parse_open_slots("")->empty());
}

TEST_CASE("text that is no list of open slots is refused as a whole") {
  for (const std::string& bad :
       {"16384<" + kA + ",", "-1<" + kA + ",", "<" + kA + ",", "7" + kA + ",", "7<" + kA,
        "7<" + kA.substr(1) + ",", std::string("7<,"), std::string(","), "7=" + kA + ",",
        "7," + kA + "<", "1>" + kA + ",x"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_open_slots(bad).has_value());
  }
  std::string many;
  for (int i = 0; i <= 2 * kSlotCount; ++i) many += "1>" + kA + ",";
  CHECK_FALSE(parse_open_slots(many).has_value());
}
