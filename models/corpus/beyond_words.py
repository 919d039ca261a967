"""Word lists for prompts that are not arithmetic. They are data; `beyond` puts them into its patterns."""

from __future__ import annotations

from localsmc_models.corpus import words

TALK = (
    "ok", "I see", "sounds good", "no problem", "good to know", "never mind", "not bad", "of course",
    "I am bored", "you are funny", "that is great", "let's talk", "nice to meet you", "I don't know",
    "what do you mean", "I agree", "that's wrong", "you are wrong", "are you sure", "tell me more",
    "go ahead", "let me think", "just kidding", "blah blah", "la la la", "so what", "whatever", "amazing",
    "please help me", "I need help", "can you help me", "can we talk", "do something", "say something",
    "surprise me", "what now", "is anybody there", "one moment", "help me with my homework",
    "I have a question", "may I ask you something", "let's start", "good job", "well done", "I love you",
    "leave me alone", "shut up", "you are stupid", "what a day", "long time no see", "happy birthday",
)  # fmt: skip
ADJECTIVES = (
    "happy", "sad", "tired", "hungry", "green", "blue", "red", "yellow", "old", "young", "big", "small",
    "cold", "warm", "famous", "dangerous", "healthy", "expensive", "cheap", "beautiful", "ugly", "strange",
    "funny", "sick", "angry", "bored", "quiet", "loud", "strong", "weak", "dark", "bright", "sweet", "sour",
    "heavy", "light", "fast", "slow", "important", "easy", "hard", "lonely", "rich", "poor", "clean", "dirty",
    "open", "broken", "new", "ancient", "round", "wild", "kind", "evil", "smart", "brave", "lazy", "shy",
    "true", "possible", "popular", "rare", "soft", "wet",
)  # fmt: skip
NOUNS = (
    "sky", "sea", "moon", "sun", "wind", "rain", "ocean", "mountain", "river", "forest", "desert", "island",
    "lake", "bridge", "tower", "castle", "church", "museum", "school", "hospital", "airport", "station",
    "market", "village", "king", "queen", "president", "soldier", "doctor", "writer", "engine", "computer",
    "telephone", "television", "airplane", "rocket", "camera", "radio", "printer", "keyboard", "window",
    "door", "mirror", "house", "street", "heart", "brain", "blood", "bone", "tooth", "hand", "eye", "ear",
    "voice", "dream", "memory", "word", "language", "sentence", "story", "question", "answer", "idea",
    "problem", "reason", "law", "war", "peace", "game", "movie", "song", "dance", "painting", "color",
    "light", "shadow", "fire", "water", "earth", "air", "gold", "silver", "iron", "sugar", "salt", "bread",
    "butter", "milk", "coffee", "tea", "wine", "season", "winter", "summer", "spring", "night", "morning",
    "world", "universe", "planet", "star", "galaxy", "atom", "cell", "virus", "vaccine", "storm", "volcano",
)  # fmt: skip
TOPICS = (
    "gravity", "evolution", "democracy", "photosynthesis", "music", "jazz", "poetry", "philosophy",
    "chemistry", "biology", "physics", "history", "geography", "astronomy", "psychology", "economics",
    "inflation", "politics", "religion", "art", "love", "friendship", "happiness", "climate change",
    "global warming", "electricity", "magnetism", "light", "quantum computing", "relativity", "black holes",
    "dinosaurs", "the internet", "artificial intelligence", "robots", "machine learning", "neural networks",
    "blockchain", "football", "tennis", "chess", "cooking", "gardening", "fashion", "photography", "yoga",
    "sleep", "dreams", "anxiety", "the Roman Empire", "the Middle Ages", "the Renaissance",
    "the French Revolution", "the Cold War", "slavery", "capitalism", "socialism", "freedom", "justice",
    "education", "space travel", "the ocean", "volcanoes", "earthquakes", "bees", "whales", "genetics", "DNA",
    "vitamins", "coffee", "grammar", "linguistics", "opera", "painting", "sculpture", "architecture",
    "cinema", "theater", "the stock market", "taxes", "insurance", "marriage", "parenting", "travel",
    "camping", "recycling", "nuclear power", "solar energy",
)  # fmt: skip
PLACES = (
    "Germany", "Italy", "Spain", "Japan", "China", "India", "Brazil", "Canada", "Mexico", "Egypt", "Kenya",
    "Norway", "Sweden", "Finland", "Poland", "Greece", "Turkey", "Russia", "Australia", "Argentina", "Chile",
    "Peru", "Cuba", "Portugal", "Austria", "Belgium", "Ireland", "Scotland", "Iceland", "Nigeria", "Morocco",
    "Vietnam", "Thailand", "Berlin", "London", "Paris", "Rome", "Madrid", "Tokyo", "Beijing", "Delhi",
    "Cairo", "Moscow", "Vienna", "Prague", "New York", "Chicago", "Boston", "Texas", "California", "Florida",
    "Alaska", "Hawaii", "Lisbon", "Athens", "Dublin", "Amsterdam", "Brussels", "Zurich", "Oslo", "Seoul",
    "Sydney", "Toronto", "Africa", "Europe", "Asia", "Antarctica", "the Nile", "the Alps", "the Amazon",
    "the Sahara", "Mars", "Venus", "Jupiter", "the Atlantic", "Siberia", "Bali",
)  # fmt: skip
FAMOUS = (
    "Albert Einstein", "Isaac Newton", "Marie Curie", "Charles Darwin", "Napoleon", "Julius Caesar",
    "Cleopatra", "Aristotle", "Plato", "Socrates", "Shakespeare", "Goethe", "Mozart", "Beethoven", "Bach",
    "Picasso", "Van Gogh", "Leonardo da Vinci", "Galileo", "Columbus", "George Washington", "Abraham Lincoln",
    "Gandhi", "Nelson Mandela", "Queen Victoria", "Elvis Presley", "the Beatles", "Michael Jackson",
    "Madonna", "Charlie Chaplin", "Tolstoy", "Ada Lovelace", "Alan Turing", "Nikola Tesla", "Thomas Edison",
    "Steve Jobs", "Bill Gates", "the pope", "Homer", "the king of Spain", "Confucius", "Buddha",
    "Joan of Arc", "Mark Twain", "Jane Austen", "Kafka", "Freud", "Marx",
)  # fmt: skip
TITLES = (
    "Hamlet", "Macbeth", "Faust", "Moby Dick", "Don Quixote", "War and Peace", "The Odyssey", "Harry Potter",
    "Titanic", "The Lion King", "Jurassic Park", "The Matrix", "Frozen", "Casablanca", "Pride and Prejudice",
    "Dracula", "The Hobbit", "Robinson Crusoe", "Alice in Wonderland", "Toy Story", "The Godfather", "Batman",
    "Sherlock Holmes", "the Mona Lisa", "the Bible", "the Iliad", "Les Miserables", "The Little Prince",
    "Cinderella", "Snow White",
)  # fmt: skip
LANGUAGES = (
    "German", "French", "Spanish", "Italian", "Latin", "Greek", "Russian", "Chinese", "Japanese", "Korean",
    "Arabic", "Hindi", "Turkish", "Polish", "Dutch", "Swedish", "Portuguese", "English", "Hebrew", "Finnish",
    "Swahili", "Welsh",
)  # fmt: skip
ANIMALS = (
    "dog", "cat", "elephant", "lion", "tiger", "bear", "wolf", "fox", "whale", "dolphin", "shark", "eagle",
    "owl", "penguin", "parrot", "snake", "frog", "turtle", "spider", "bee", "ant", "butterfly", "horse",
    "cow", "pig", "monkey", "giraffe", "camel", "kangaroo", "panda", "dragon", "unicorn", "dinosaur", "mouse",
    "bat", "crab", "octopus",
)  # fmt: skip
VERBS = (
    "sleep", "dance", "sing", "fly", "swim", "run", "walk", "talk", "laugh", "cry", "dream", "think", "learn",
    "teach", "read", "write", "cook", "eat", "drink", "play", "work", "rest", "travel", "wait", "listen",
    "remember", "forget", "paint", "draw", "build", "break", "fight", "vote", "pray", "jump", "climb", "burn",
    "freeze", "hide", "smile", "whisper", "shout", "worry", "win", "lose", "buy", "sell", "steal", "lie",
    "trust", "hope", "fall", "rise", "bark",
)  # fmt: skip
PERSONS = (
    "mother", "father", "brother", "sister", "boss", "friend", "teacher", "neighbor", "wife", "husband",
    "son", "daughter", "grandmother", "uncle", "landlord", "doctor", "colleague", "girlfriend", "boyfriend",
    "cat", "dog", "cousin", "mom",
)  # fmt: skip
FOODS = (
    "pizza", "soup", "bread", "curry", "lasagna", "pasta", "rice", "omelette", "apple pie", "chocolate cake",
    "salad", "tacos", "sushi", "goulash", "cookies", "waffles", "dumplings", "risotto", "chicken", "tofu",
    "noodles", "chili",
)  # fmt: skip
CODE = (
    "Python", "JavaScript", "Java", "C++", "Rust", "Go", "bash", "SQL", "HTML", "CSS", "python", "Ruby",
    "PHP", "C", "R", "Haskell",
)  # fmt: skip
SOFTWARE = (
    "Python", "docker", "git", "Windows", "Linux", "Ubuntu", "Firefox", "Excel", "Word", "Photoshop",
    "Blender", "pandas", "pytorch", "tensorflow", "node", "npm", "VS Code", "vim", "emacs", "llama.cpp",
    "ollama", "postgres", "mysql", "nginx", "Minecraft", "Steam", "Chrome", "Android", "java", "gcc", "cuda",
    "matplotlib", "flask", "django", "react", "latex",
)  # fmt: skip
PHRASES = (
    "I love you", "good night", "where is the station", "the cat sleeps", "how are you",
    "I would like a coffee", "my name is John", "she goes to school", "he don't like it", "they was here",
    "happy new year", "see you tomorrow", "the weather is nice", "I am from Berlin", "two beers please",
    "what time is it", "I have three sisters", "once upon a time", "to be or not to be",
    "the quick brown fox", "it was a dark night", "we are going home", "roses are red",
    "there is no place like home", "life is short", "the train is late", "I can't find my keys",
    "file not found", "index out of range", "permission denied", "null pointer", "connection refused",
    "syntax error",
)  # fmt: skip
SNIPPETS = (
    "x = [1, 2, 3]", "print(x[0])", "if a == b: return", "while True: pass", "int main() { return 0; }",
    "a += 1", "let y = 5;", "def f(x): return x", "for i in x: print(i)", "x.append(4)", "console.log(a)",
    "return null;", "lambda x: x + 1", "assert x > 0", "try: f() except: pass", "arr[0] = 7", "i++;",
    "y = f(3)", "s = 'abc'", "del x[2]", "import os", "x = input()", "if (n > 10) break;",
    "public static void main", "<div>Hi</div>", "a = b = 0", "!= null",
)  # fmt: skip
FOREIGN = (
    "wie geht es dir", "Was ist die Hauptstadt von Polen?", "Wer bist du?", "Guten Tag", "Ich bin müde",
    "Erzähl mir einen Witz", "Warum ist der Himmel blau?", "Was kannst du?", "Danke schön",
    "Schreib ein Gedicht", "comment ça va", "Quelle est la capitale de l'Italie ?", "Je t'aime",
    "Bonjour, qui es-tu ?", "Raconte une histoire", "Pourquoi le ciel est bleu ?", "merci beaucoup",
    "cómo estás", "¿Quién eres?", "Cuéntame un chiste", "buenos días", "¿Cuál es la capital de Chile?",
    "gracias", "¿Dónde está la playa?", "come stai", "Chi sei?", "Dove vivi?", "olá, tudo bem?",
    "hoe gaat het", "привет", "как дела", "你好", "谢谢", "こんにちは", "안녕하세요", "مرحبا", "γεια σου",
    "merhaba", "dzień dobry", "hej, hur mår du?", "नमस्ते", "Schönes Wetter heute", "où est la gare ?",
    "¿qué hora es?",
)  # fmt: skip
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip
SYSTEMS = ("Windows", "Linux", "my Mac", "Ubuntu 22", "Android", "a Raspberry Pi 4", "Windows 11", "Debian")
TAGS = ("b", "p", "h1", "div", "title", "li", "span")
SYLLABLES = (
    "ba be bi bo bu ca da de di do fa fi fo ga ge go ha he ho ja jo ka ke ki ko la le li lo lu ma me mi mo "
    "mu na ne ni no pa pe pi po ra re ri ro ru sa se si so su ta te ti to tu va ve vi wa we wo za zi zo ble "
    "cra dri flo gru ple sta tri"
).split()
MASHED = (
    "asdf", "jkl", "qwer", "zxcv", "sdfg", "hjkl", "uiop", "wert", "dfgh", "lkjh", "poiu", "aaaa", "xxx",
    "fghj", "vbnm", "ytre",
)  # fmt: skip
MARKS = (
    "?", "??", "???", "!", "!!!", "...", ".", ":)", ":(", ";-)", "<3", "*", "#", "@", "&", "-", "--", "/",
    "\\", "~", "()", "[]", "{}", "|", "^", "\N{THUMBS UP SIGN}", "\N{GRINNING FACE}", "\N{HEAVY BLACK HEART}",
    "\N{PARTY POPPER}", "\N{THINKING FACE}", "\N{FIRE}", "$", "%", "=", "+", "_", "\"\"", "''",
    "\N{SLEEPING FACE}", "\N{DOG FACE}",
)  # fmt: skip

ALL_WORDS = (
    *ADJECTIVES, *NOUNS, *TOPICS, *PLACES, *ANIMALS, *VERBS, *PERSONS, *FOODS,
    *(thing for pair in words.THINGS for thing in pair),
)  # fmt: skip
