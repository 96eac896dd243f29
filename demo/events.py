"""The small social world the demo questions are about.

Everything here was written for this demo and is dedicated to the public
domain (CC0 1.0).  `generator.py` combines it into questions.

`{X}` is the person who acts, `{Y}` the other person, `{F}` the filler.
"""

from dataclasses import dataclass

# Words for one feeling.  Any word of the right group is a right answer, so a
# distractor always comes from another group.
FEELINGS = {
    "grateful": ("grateful", "thankful", "touched", "deeply appreciative"),
    "kind": ("kind", "helpful", "generous", "glad to be of use"),
    "proud": ("proud", "triumphant", "accomplished", "pleased with the result"),
    "excited": ("excited", "thrilled", "overjoyed", "full of joy"),
    "relieved": ("relieved", "reassured", "free of worry", "at ease"),
    "welcome": ("welcome", "included", "accepted", "part of the group"),
    "amused": ("amused", "entertained", "playful", "ready to laugh"),
    "confident": ("confident", "prepared", "well informed", "ready for it"),
    "full": ("full", "stuffed", "satisfied", "heavy in the stomach"),
    "angry": ("mad", "angry", "furious", "full of rage"),
    "guilty": ("guilty", "ashamed", "remorseful", "full of regret"),
    "sad": ("sad", "gloomy", "disappointed", "let down"),
    "scared": ("scared", "startled", "frightened", "shaken by the shock"),
    "bored": ("bored", "restless", "impatient", "tired of standing around"),
    "embarrassed": ("silly", "foolish", "embarrassed", "red in the face"),
    "jealous": ("jealous", "envious", "outdone", "beaten by a rival"),
    "betrayed": ("betrayed", "exposed", "deceived", "stabbed in the back"),
    "nervous": ("nervous", "tense", "afraid of being caught", "jumpy"),
    "worried": ("worried", "concerned", "anxious", "uneasy about it"),
    "hurt": ("hurt", "insulted", "offended", "attacked by the words"),
    "lonely": ("lonely", "abandoned", "left behind", "in need of company"),
}

# Groups a reader could defend as an answer to the same question.  They are
# never offered as distractors for one another.
NEAR_FEELINGS = (
    {"grateful", "relieved", "excited", "welcome", "confident"},
    {"grateful", "amused"},
    {"kind", "proud", "excited", "relieved", "confident"},
    {"amused", "excited", "proud", "full"},
    {"angry", "betrayed", "sad", "hurt", "lonely"},
    {"guilty", "embarrassed", "sad", "nervous", "worried"},
    {"worried", "kind"},
    {"worried", "amused"},
    {"scared", "angry"},
    {"scared", "nervous", "worried", "hurt", "embarrassed"},
    {"jealous", "sad", "angry", "embarrassed"},
    {"bored", "angry", "sad", "lonely"},
)

# Likewise for clusters of events: what follows from one event of such a pair
# could follow from the other, such as being helpful from caring.
NEAR_CLUSTERS = (
    {"kind", "social"},
    {"kind", "care"},
    {"kind", "teach"},
    {"kind", "hero"},
    {"social", "care"},
    {"social", "wait"},
    {"care", "wait"},
    {"wait", "farewell"},
    {"mean", "accident"},
    {"mean", "greedy"},
    {"mean", "prank"},
)

NAMES = (
    "Robin", "Alex", "Kai", "Sasha", "Jordan", "Taylor", "Morgan", "Casey",
    "Riley", "Jamie", "Avery", "Quinn", "Skylar", "Remy", "Austin", "Bailey",
    "Cameron", "Dana", "Ellis", "Frankie", "Harper", "Jules", "Kendall",
    "Logan", "Marley", "Noel", "Parker", "Reese", "Sydney", "Tracy",
)  # fmt: skip

# Sentence frames put around an event; they carry no information about it.
OPENINGS = (
    "", "", "Last week, ", "On Friday, ", "After lunch, ", "This morning, ",
    "In the end, ", "As everyone knows, ", "It was a long day and ",
)  # fmt: skip
CLOSINGS = (
    ".", ".", ".", ". Everybody noticed.", ". It wasn't raining.",
    ". {X} hadn't planned it.", ". {Y} couldn't believe it.",
)  # fmt: skip

QUESTIONS = {
    "feel_actor": "How would {X} feel afterwards?",
    "feel_other": "How would {Y} feel as a result?",
    "why": "Why did {X} do this?",
    "need": "What did {X} need to do before this?",
    "next": "What will {X} want to do next?",
    "describe": "How would you describe {X}?",
}


@dataclass(frozen=True)
class Event:
    """One thing that can happen, with two right answers to each question.

    Events of one `cluster` are alike, so their answers are never offered as
    distractors for one another.  The two feelings name groups of `FEELINGS`.
    """

    cluster: str
    context: str
    fillers: tuple
    feel_actor: str
    feel_other: str
    why: tuple
    need: tuple
    next: tuple
    describe: tuple


PETS = ("dog", "cat", "rabbit", "puppy", "pony", "goat", "hamster", "parrot")

EVENTS = (
    Event(
        "kind", "{X} helped {Y} carry {F} up the stairs",
        ("a heavy box", "the new couch", "a big mirror", "the wooden table",
         "a full suitcase", "the old piano", "a tall lamp", "two chairs"),
        "kind", "grateful",
        ("to lighten {Y}'s load", "because it was too much for one person"),
        ("grab the other end", "ask where it should go"),
        ("rest both arms", "sit down with a cold drink"),
        ("helpful", "always ready to lend a hand"),
    ),
    Event(
        "kind", "{X} repaired {Y}'s {F}",
        ("bike", "guitar", "laptop", "radio", "toaster", "watch", "car",
         "phone"),
        "proud", "grateful",
        ("to make it work again", "because {Y} couldn't repair it alone"),
        ("find the right tools", "learn how the parts fit together"),
        ("test it", "check that everything works"),
        ("handy", "skilled with tools"),
    ),
    Event(
        "kind", "{X} surprised {Y} with {F} as a present",
        ("a new scarf", "a silver ring", "a board game", "a warm hat",
         "a red kite", "a good book", "a leather bag", "a soft blanket"),
        "kind", "excited",
        ("to celebrate {Y}'s birthday", "because it was {Y}'s special day"),
        ("wrap it", "choose something at the shop"),
        ("watch {Y} open it", "see {Y} smile"),
        ("giving", "thoughtful with presents"),
    ),
    Event(
        "kind", "{X} shared {F} with {Y}",
        ("the last sandwich", "a hot soup", "some bread", "a bag of apples",
         "a large pizza", "the salad", "a bowl of rice", "some cheese"),
        "kind", "grateful",
        ("so {Y} wouldn't go hungry", "because {Y} had nothing to eat"),
        ("cut it in two", "bring enough food for both"),
        ("eat together", "chat over the meal"),
        ("unselfish", "good at sharing"),
    ),
    Event(
        "social", "{X} invited {Y}, the new neighbour, to {F}",
        ("the picnic", "the party", "the game night", "the concert",
         "the barbecue", "the book club", "the wedding", "the parade"),
        "kind", "welcome",
        ("to make a new friend", "so {Y} wouldn't be left out"),
        ("plan the day", "send {Y} a message"),
        ("introduce {Y} to everyone", "make {Y} feel at home"),
        ("outgoing", "friendly to newcomers"),
    ),
    Event(
        "hero", "{X} pulled {Y}'s {F} out of the river", PETS,
        "proud", "relieved",
        ("to save its life", "because it was about to drown"),
        ("jump into the water", "hear the splashing"),
        ("dry off", "warm up with a thick towel"),
        ("a hero", "brave in an emergency"),
    ),
    Event(
        "accident", "{X} dropped {Y}'s {F} and broke it",
        ("favourite mug", "glass vase", "camera", "tablet", "teapot",
         "picture frame", "flower pot", "snow globe"),
        "guilty", "angry",
        ("because it slipped", "because {X}'s hands were still wet"),
        ("pick it up", "take it off the shelf"),
        ("sweep up the pieces", "buy a new one for {Y}"),
        ("clumsy", "careless with fragile things"),
    ),
    Event(
        "accident", "{X} burned {F} that {Y} wanted to eat",
        ("the pie", "the toast", "the roast", "the cookies", "the fish",
         "the lasagne", "the pancakes", "the stew"),
        "embarrassed", "sad",
        ("because nobody watched the oven", "by cooking for too long"),
        ("heat the oven", "mix the ingredients"),
        ("open a window", "order takeout instead"),
        ("a bad cook", "distracted in the kitchen"),
    ),
    Event(
        "accident", "{X} borrowed {Y}'s {F} and lost it",
        ("umbrella", "jacket", "key", "library card", "pen", "glove",
         "train ticket", "necklace"),
        "guilty", "angry",
        ("because of a hole in the bag", "by leaving a pocket open"),
        ("put it in a bag", "ask {Y} to lend it"),
        ("look for it everywhere", "walk back the same way"),
        ("forgetful", "bad at keeping track of things"),
    ),
    Event(
        "accident", "{X} tripped in front of {Y} and fell {F}",
        ("into the fountain", "down the steps", "over a root",
         "off the stage", "on the ice", "into the bushes", "in the mud",
         "on the pavement"),
        "embarrassed", "worried",
        ("because of a loose shoelace", "by stepping on a banana peel"),
        ("walk too fast", "go out without looking down"),
        ("get up", "put ice on the bruise"),
        ("unsteady", "someone who stumbles a lot"),
    ),
    Event(
        "mean", "{X} stole {Y}'s {F}",
        ("wallet", "purse", "scooter", "gold coin", "headphones",
         "sunglasses", "lunch money", "skateboard"),
        "nervous", "angry",
        ("to sell it for money", "because {X} couldn't afford one"),
        ("wait until nobody looked", "sneak into {Y}'s room"),
        ("sell it", "find somebody who buys it"),
        ("dishonest", "a thief"),
    ),
    Event(
        "mean", "{X} angrily shouted at {Y} because of {F}",
        ("the noise", "the mess", "the muddy floor", "the broken fence",
         "the loud music", "the late train", "the dirty dishes",
         "the wrong order"),
        "angry", "hurt",
        ("to make {Y} stop", "because {X} had run out of patience"),
        ("lose control", "find out what {Y} had done"),
        ("calm down", "storm out of the room"),
        ("hot tempered", "quick to lose control"),
    ),
    Event(
        "mean", "{X} told everybody at {F} {Y}'s secret",
        ("the office", "the gym", "the market", "the school", "the club",
         "the church", "the hospital", "the beach"),
        "guilty", "betrayed",
        ("to spread rumours", "because it was too juicy to keep"),
        ("hear the secret", "get {Y} to talk about private things"),
        ("tell more secrets", "hear what other people know"),
        ("a gossip", "impossible to trust"),
    ),
    Event(
        "prank", "{X} jumped out from behind {F} and scared {Y}",
        ("the door", "the curtain", "a tree", "the wall", "a bus",
         "the shed", "the sofa", "a statue"),
        "amused", "scared",
        ("to play a prank", "because it was April Fools' Day"),
        ("crouch down", "keep still and make no sound"),
        ("laugh out loud", "tell {Y} it was a joke"),
        ("a joker", "fond of pranks"),
    ),
    Event(
        "achieve", "{X} beat {Y} in {F}",
        ("the chess final", "the swimming race", "the spelling contest",
         "the tennis match", "the marathon", "the quiz", "the talent show",
         "the baking contest"),
        "proud", "jealous",
        ("to win the trophy", "because {X} had practised every day"),
        ("sign up", "train for many weeks"),
        ("wear the medal", "hold up the trophy"),
        ("talented", "very competitive"),
    ),
    Event(
        "animal", "{X} taught {Y}'s {F} a funny trick", PETS,
        "proud", "amused",
        ("to put on a show", "because it was bright and learned fast"),
        ("buy treats", "get the animal to listen"),
        ("show the new trick", "reward it with a treat"),
        ("an animal lover", "a trainer"),
    ),
    Event(
        "wait", "{X} waited two hours for {Y} at {F}",
        ("the station", "the airport", "the cafe", "the museum", "the bank",
         "the bus stop", "the harbour", "the cinema"),
        "bored", "guilty",
        ("to meet {Y}", "because {Y} had promised to come"),
        ("agree on a time", "get there early"),
        ("call {Y}", "go home without {Y}"),
        ("patient", "willing to stay for hours"),
    ),
    Event(
        "care", "{X} visited {Y}, who was ill, and brought {F}",
        ("flowers", "fresh fruit", "a card", "chicken broth", "magazines",
         "balloons", "warm tea", "a puzzle"),
        "worried", "grateful",
        ("to cheer {Y} up", "because {Y} needed company"),
        ("ask for {Y}'s room number", "find out {Y} was unwell"),
        ("let {Y} sleep", "wish {Y} a quick recovery"),
        ("caring", "a friend in hard times"),
    ),
    Event(
        "greedy", "{X} ate all {F} without asking {Y}",
        ("the cake", "the ice cream", "the chocolate", "the strawberries",
         "the popcorn", "the noodles", "the doughnuts", "the sausages"),
        "full", "angry",
        ("because it tasted so good", "to fill an empty stomach"),
        ("open the fridge", "find a fork"),
        ("loosen the belt", "wipe off the crumbs"),
        ("greedy", "a person who thinks of food first"),
    ),
    Event(
        "farewell", "{X} happily said goodbye to {Y} and moved to {F}",
        ("Spain", "Canada", "the coast", "the big city", "Japan",
         "the countryside", "an island", "the mountains"),
        "excited", "lonely",
        ("to start a new job", "because life there was cheaper"),
        ("pack", "rent a flat far away"),
        ("unpack", "explore the new streets"),
        ("adventurous", "ready for a fresh start"),
    ),
    Event(
        "teach", "{X} explained {F} to {Y} before the exam",
        ("maths", "history", "grammar", "physics", "chemistry", "geography",
         "biology", "the poem"),
        "kind", "confident",
        ("so {Y} could pass", "because {Y} was behind in class"),
        ("prepare some notes", "understand the subject"),
        ("ask {Y} some questions", "hear about {Y}'s marks"),
        ("smart", "good at making things clear"),
    ),
)  # fmt: skip
