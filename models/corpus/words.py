"""Word lists for questions: names, things, places, money.

They are data; `wording` puts them into sentences. An entry that stands twice is drawn twice as often.
"""

from __future__ import annotations

NAMES = {
    "he": (
        "Tom", "Ben", "Sam", "Max", "Leo", "Jack", "Paul", "Omar", "Luis", "Ravi", "Noah", "Adam", "Oscar",
        "Peter", "David", "Mark", "John", "Tim", "Alex", "Carlos", "Ali", "Ken", "Ivan", "Bob", "James",
        "Mike", "Ryan", "Eric", "Felix", "Hugo", "Finn", "Dan", "Jon", "George", "Henry", "Lucas", "Victor",
        "Kofi", "Bilal", "Chen", "Diego", "Emil", "Frank", "Greg", "Ian", "Jamal", "Kevin", "Liam", "Marco",
        "Nick",
    ),
    "she": (
        "Anna", "Mia", "Lisa", "Sara", "Emma", "Lucy", "Nina", "Maria", "Julia", "Zoe", "Ella", "Kate", "Amy",
        "Rosa", "Laura", "Jane", "Mary", "Alice", "Clara", "Nora", "Priya", "Yuki", "Fatima", "Sofia", "Ruth",
        "Susan", "Beth", "Carol", "Diana", "Eva", "Gita", "Ines", "Kim", "Lea", "Ada", "Cleo", "Hannah",
        "Ivy", "Aisha", "Bella", "Chloe", "Dora", "Elena", "Grace", "Helen", "Irene", "Joy", "Linda", "Megan",
        "Olga",
    ),
    "they": (
        "A farmer", "A teacher", "A baker", "A child", "A student", "A gardener", "A driver", "A boy",
        "A girl", "My brother", "My sister", "My friend", "My mom", "My dad", "Grandma", "Grandpa",
        "My uncle", "My aunt", "A shopkeeper", "A painter", "A cook", "A tourist", "My neighbor",
        "The teacher", "A woman", "A man", "A collector", "A florist", "A carpenter", "The coach", "A nurse",
        "A waiter", "My son", "My daughter",
    ),
}  # fmt: skip
"""Who a story is about, by pronoun."""

THINGS = tuple(
    tuple(pair.split("/"))
    for pair in (
        "apple/apples pear/pears orange/oranges banana/bananas lemon/lemons peach/peaches plum/plums "
        "egg/eggs grape/grapes cherry/cherries melon/melons mango/mangoes carrot/carrots potato/potatoes "
        "onion/onions tomato/tomatoes cookie/cookies cake/cakes candy/candies sweet/sweets muffin/muffins "
        "pie/pies sandwich/sandwiches pizza/pizzas donut/donuts biscuit/biscuits chocolate/chocolates "
        "nut/nuts pen/pens pencil/pencils book/books notebook/notebooks eraser/erasers crayon/crayons "
        "ruler/rulers marker/markers card/cards stamp/stamps sticker/stickers coin/coins marble/marbles "
        "toy/toys doll/dolls ball/balls balloon/balloons kite/kites puzzle/puzzles game/games bead/beads "
        "button/buttons shell/shells stone/stones rock/rocks flower/flowers rose/roses tulip/tulips "
        "tree/trees plant/plants leaf/leaves seed/seeds bird/birds cat/cats dog/dogs duck/ducks hen/hens "
        "cow/cows sheep/sheep goat/goats horse/horses rabbit/rabbits fish/fish shirt/shirts hat/hats "
        "sock/socks shoe/shoes glove/gloves scarf/scarves towel/towels cup/cups plate/plates spoon/spoons "
        "fork/forks bowl/bowls glass/glasses bottle/bottles lamp/lamps candle/candles chair/chairs "
        "table/tables box/boxes bag/bags brick/bricks tile/tiles nail/nails screw/screws key/keys "
        "ticket/tickets photo/photos picture/pictures letter/letters magazine/magazines postcard/postcards "
        "car/cars bike/bikes truck/trucks boat/boats robot/robots battery/batteries phone/phones roll/rolls "
        "bun/buns bagel/bagels lollipop/lollipops strawberry/strawberries"
    ).split()
)  # fmt: skip
"""Countable things, singular and plural."""

PEOPLE = tuple(
    tuple(pair.split("/"))
    for pair in (
        "child/children student/students kid/kids friend/friends guest/guests player/players worker/workers "
        "passenger/passengers visitor/visitors boy/boys girl/girls pupil/pupils person/people "
        "neighbor/neighbors soldier/soldiers dancer/dancers singer/singers runner/runners teacher/teachers"
    ).split()
)

ANIMALS = tuple(
    tuple(pair.split("/"))
    for pair in (
        "dog/dogs cat/cats bird/birds duck/ducks cow/cows pig/pigs horse/horses goat/goats rabbit/rabbits "
        "hen/hens sheep/sheep monkey/monkeys lion/lions zebra/zebras turtle/turtles pigeon/pigeons crow/crows"
    ).split()
)

HOLDERS = tuple(
    tuple(pair.split("/"))
    for pair in (
        "box/boxes bag/bags basket/baskets shelf/shelves jar/jars pack/packs packet/packets crate/crates "
        "row/rows bucket/buckets drawer/drawers tray/trays carton/cartons room/rooms table/tables pile/piles "
        "bowl/bowls album/albums cage/cages page/pages vase/vases case/cases tin/tins sack/sacks "
        "group/groups truck/trucks bus/buses team/teams floor/floors stack/stacks"
    ).split()
)
"""What holds things in equal numbers."""

GOODS = tuple(
    tuple(pair.split("/"))
    for pair in (
        "ticket/tickets book/books pen/pens shirt/shirts hat/hats toy/toys sandwich/sandwiches "
        "coffee/coffees pizza/pizzas cake/cakes notebook/notebooks bag/bags cup/cups lamp/lamps game/games "
        "magazine/magazines burger/burgers juice/juices apple/apples melon/melons plant/plants "
        "candle/candles ball/balls card/cards chair/chairs mug/mugs poster/posters bottle/bottles "
        "sandwich/sandwiches pencil/pencils doughnut/doughnuts bracelet/bracelets cable/cables "
        "battery/batteries soap/soaps towel/towels scarf/scarves rose/roses"
    ).split()
)
"""What is bought by the piece."""

DEARER = (
    "bike", "coat", "jacket", "phone", "table", "sofa", "lamp", "camera", "watch", "bag", "dress",
    "pair of shoes", "ticket", "game", "TV", "tablet", "chair", "desk", "guitar", "tent", "mattress",
    "printer", "radio", "sweater", "helmet", "suitcase", "ring", "clock", "skateboard", "oven", "course",
    "laptop", "drill", "carpet", "fridge",
)  # fmt: skip

GAINS = (
    "buys", "gets", "finds", "receives", "picks", "collects", "is given", "wins", "makes", "picks up",
    "earns", "takes", "adds",
)  # fmt: skip
LOSSES = (
    "eats", "loses", "gives away", "sells", "breaks", "uses", "throws away", "drops", "lends", "hides",
    "donates", "gives a friend",
)  # fmt: skip
GAINED = (
    "bought", "got", "found", "received", "picked", "collected", "was given", "won", "made", "picked up",
    "earned", "added",
)  # fmt: skip
LOST = (
    "ate", "lost", "gave away", "sold", "broke", "used", "threw away", "dropped", "lent", "donated",
    "gave a friend",
)  # fmt: skip
GAIN = ("buy", "get", "find", "receive", "pick", "collect", "win", "make", "pick up", "earn", "add")
LOSE = ("eat", "lose", "give away", "sell", "break", "use", "throw away", "drop", "donate", "give a friend")

PLACES = (
    "on the table", "in the garden", "in a box", "on a shelf", "in the basket", "in the kitchen",
    "on the bus", "in a room", "in the park", "in the classroom", "on the plate", "at the party",
    "in a field", "in the shop", "in the drawer", "in the bag", "on the farm", "in the pond",
    "in the library", "on the wall", "in the car", "in the yard", "in the jar", "at the station",
    "in the hall", "on the tree", "in a bowl", "at school",
)  # fmt: skip

MONEY = (
    "${}", "{} dollars", "{} euros", "{} pounds", "{} coins", "{} cents", "{} dollars", "${}", "{}$",
    "{} bucks",
)  # fmt: skip
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
